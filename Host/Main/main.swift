import Gateway
import Glibc

let usage = """
  usage: gateway serve                 serve until stopped (settings come from the environment)
         gateway check [FILE...]       check settings and plugins.d without serving
         gateway plugin …              what a running gateway has loaded, changes to it, new plugins, tests of them
         gateway upgrade               a running gateway goes on with the program at its path
         gateway key create …          keys that libraries are signed with
         gateway token create|inspect|revoke …
         gateway node join|leave|invite|list …
                                       this gateway as a node of another's fog, and others as nodes of its own
         gateway version
  """

let environment = Environment.read()
let arguments = CommandLine.arguments.dropFirst()
let rest = arguments.dropFirst()
switch arguments.first {
case "serve": exit(ServeCommand.run(rest, environment: environment))
case ServingOrder.verb?: exit(ServeCommand.runChild(rest, environment: environment))
case "upgrade": exit(UpgradeCommand.run(rest, environment: environment))
case "check": exit(CheckCommand.run(rest, environment: environment))
case PluginProbe.verb?: exit(CheckCommand.runOne(rest, environment: environment))
case ValidatorChild.verb?: exit(PluginCheckCommand.runOne(rest))
case GuestProcess.verb?: exit(GuestProcess.run())
case "plugin": exit(PluginCommand.run(rest, environment: environment))
case LibraryIdentity.verb?: exit(LibraryIdentity.runChild(Array(rest)))
case "key": exit(KeyCommand.run(rest))
case "token": exit(TokenCommand.run(rest, environment: environment))
case "node": exit(NodeCommand.run(rest, environment: environment))
case "version", "--version": print("gateway \(Version.text)")
case nil, "help", "--help", "-h": print(usage)
case let verb?:
  StandardError.write("\(verb.debugDescription): there is no such verb\n\(usage)")
  exit(2)
}
