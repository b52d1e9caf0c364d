import PluginStorage

/// The chain over the journal: SHA-256 over the hash before and the entry itself.
///
/// What is hashed is a sequence of netstrings (D. J. Bernstein, 1997: `5:hello,`), so that no two entries have the same
/// bytes: previous hash, id, time, kind, reason, reference, number of postings, and of each posting account, bucket and
/// its three limbs. Numbers are decimal.
package enum EntryHash {
  /// What stands before the first entry.
  package static let beginning = String(repeating: "0", count: 64)

  /// The hash of `entry`, as 64 lower-case hexadecimal digits.
  package static func of(_ entry: Entry) -> String {
    var bytes: [UInt8] = []
    func write(_ text: String) {
      bytes.append(contentsOf: "\(text.utf8.count):".utf8)
      bytes.append(contentsOf: text.utf8)
      bytes.append(UInt8(ascii: ","))
    }
    write(entry.previous)
    write(String(entry.id))
    write(String(entry.at))
    write(entry.kind)
    write(entry.reason)
    write(entry.reference)
    write(String(entry.postings.count))
    for posting in entry.postings {
      write(posting.account)
      write(posting.bucket.rawValue)
      for limb in posting.amount.limbs { write(String(limb)) }
    }
    var hash = SHA256()
    hash.update(bytes.span)
    return hash.finish()
  }
}
