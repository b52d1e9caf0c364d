/// Why bytes are no archive that can be read.
///
/// The description is part of a sentence, without what the sender is to do: that is known where the archive came from.
package enum TarError: Error, Equatable, CustomStringConvertible {
  case notAnArchive
  case wrongChecksum
  /// The size of an entry is in a form of some tar's own, or damaged.
  case unreadableSize
  /// A name or target is not UTF-8; `of` says of what.
  case notText(of: String)
  /// A pax header is damaged.
  case damagedExtension
  /// The headers that extend an entry are too long or too many.
  case longExtension
  /// A pax header gives what only the entry's own header may say.
  case extensionGives(String)
  /// A folder or link says that bytes follow it.
  case bytesOfNoFile(path: String)
  case entryAfterEnd
  case bytesAfterEnd
  case noEnd

  package var description: String {
    switch self {
    case .notAnArchive: "it is no tar archive of the form ustar"
    case .wrongChecksum: "a header's checksum is wrong"
    case .unreadableSize: "the size of an entry is no octal number"
    case .notText(let part): "\(part) is not UTF-8"
    case .damagedExtension: "a pax header is damaged"
    case .longExtension: "the headers before an entry are too long"
    case .extensionGives(let key): "a pax header gives \(key.prefix(64))"
    case .bytesOfNoFile(let path):
      "\(String(path.prefix(200)).debugDescription) is no file and says that it has bytes"
    case .entryAfterEnd: "an entry follows the end of the archive"
    case .bytesAfterEnd: "something follows the end of the archive"
    case .noEnd: "the archive ends before its end mark"
    }
  }
}
