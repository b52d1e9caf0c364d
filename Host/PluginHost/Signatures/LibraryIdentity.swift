import CGatewayPlugin
import CLinux
import Glibc
import Wire

/// What a library says of itself, asked in a child process: it may crash there, and no private key is in that memory.
///
/// Its code has the rights of whoever asks, to files too: only a library that one would run is asked.
package enum LibraryIdentity {
  /// Why a library does not tell.
  package enum Refusal: Error, Equatable, CustomStringConvertible {
    case system(SystemError)
    case crashed(String)
    case hung
    case refused(String)

    package var description: String {
      switch self {
      case .system(let error): "it cannot be asked what it is: \(error)"
      case .crashed(let how): "it ends its process when it is loaded (\(how))"
      case .hung: "it hangs when it is loaded"
      case .refused(let reason): reason
      }
    }
  }

  /// The hidden verb of the gateway's command line that runs the child's part.
  package static let verb = "identify-one"
  private static let limit = Duration.seconds(10)

  /// Copies a library, and asks the copy.
  ///
  /// - Parameter library: Its path.
  /// - Returns: What can be signed of exactly the bytes that were asked.
  /// - Throws: `Refusal`.
  package static func ask(_ library: String) throws(Refusal) -> SignedStatement {
    let report: [UInt8]
    let end: ChildProcess.End
    let digest: String
    do {
      let directory = try ChildProcess.temporaryDirectory()
      defer { Directory.removeAll(directory) }
      let copy = try GenerationStage(dataDirectory: directory).copy(library, label: "library")
      digest = copy.digest
      let program = "/proc/self/exe"
      (report, end) = try ChildProcess.run(program, [program, verb, copy.path], limit: limit)
    } catch { throw .system(error) }
    switch end {
    case .hung: throw .hung
    case .crashed(let signal): throw .crashed(ChildProcess.signalName(signal))
    case .exited(let status):
      guard let json = try? JSON.parse(report) else {
        throw .crashed(ChildProcess.endWords(status))
      }
      if let reason = json["error"]?.asString { throw .refused(reason) }
      guard let id = json["id"]?.asString, let version = json["version"]?.asString,
        let major = json["major"]?.asInteger, let minor = json["minor"]?.asInteger
      else { throw .crashed(ChildProcess.endWords(status)) }
      return SignedStatement(
        digest: digest,
        id: id,
        version: version,
        abiMajor: UInt32(clamping: major),
        abiMinor: UInt32(clamping: minor)
      )
    }
  }

  /// The child's part: opens the library and writes what it says.
  ///
  /// - Parameter arguments: The path of the copy.
  /// - Returns: The exit status: 0 told, 1 not, 2 called by hand.
  package static func runChild(_ arguments: [String]) -> Int32 {
    let output = ChildProcess.reportDescriptor
    guard arguments.count == 1, fcntl(output, F_GETFD) >= 0 else { return 2 }
    linux_live_with_parent()
    _ = fcntl(output, F_SETFD, FD_CLOEXEC)
    let report: JSON
    do throws(PluginLibrary.Refusal) {
      let copy = GenerationStage.Copy(path: arguments[0], digest: "")
      let library = try PluginLibrary(copy: copy, stage: nil)
      report = [
        "id": .string(library.id), "version": .string(library.version),
        "major": .integer(Int64(unsafe library.descriptor.pointee.abi_major)),
        "minor": .integer(Int64(unsafe library.descriptor.pointee.abi_minor)),
      ]
    } catch {
      report = ["error": .string(error.description)]
    }
    let isTold = (try? Directory.writeAll(output, report.bytes[...])) != nil
    return isTold && report["error"] == nil ? 0 : 1
  }
}
