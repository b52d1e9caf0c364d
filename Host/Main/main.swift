import Gateway
import Glibc

let environment = Environment.read()
let arguments = CommandLine.arguments.dropFirst()
let rest = arguments.dropFirst()

switch arguments.first {
case "check": exit(CheckCommand.run(rest, environment: environment))
case "plugin": exit(PluginCommand.run(rest, environment: environment))
case "token": exit(TokenCommand.run(rest, environment: environment))
case PluginProbe.verb: exit(CheckCommand.runOne(rest, environment: environment))
default:
  try? Directory.writeAll(
    STDERR_FILENO,
    Array("usage: gateway check | plugin | token\n".utf8)[...]
  )
  exit(2)
}
