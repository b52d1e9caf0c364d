/// Memory, from texts of the kernel.
package enum MemoryFacts {
  /// Bytes there are and bytes that could be had.
  package struct Amount: Sendable, Equatable {
    package var total: Int
    package var available: Int

    package init(total: Int, available: Int) {
      self.total = total
      self.available = available
    }

    /// What a group with a limit has of it.
    ///
    /// - Parameters:
    ///   - limit: Bytes; `nil` for none.
    ///   - used: Bytes that the group uses.
    /// - Returns: The smaller of both.
    package func within(limit: Int?, used: Int) -> Amount {
      guard let limit, limit < total else { return self }
      return Amount(total: limit, available: min(available, max(0, limit - used)))
    }
  }

  /// Reads the machine's memory.
  ///
  /// - Parameter text: Of `/proc/meminfo` (proc(5)), in kB of 1024 bytes.
  /// - Returns: `nil` for another text.
  package static func amount(meminfo text: String) -> Amount? {
    func bytes(_ name: String) -> Int? {
      guard let words = ProcessorFacts.line(name + ":", in: text)?.split(separator: " "),
        words.count == 2, words[1] == "kB", let kilobytes = Int(words[0]), kilobytes >= 0,
        kilobytes < 1 << 50
      else { return nil }
      return kilobytes << 10
    }
    guard let total = bytes("MemTotal"), let available = bytes("MemAvailable") else { return nil }
    return Amount(total: total, available: available)
  }

  /// A group's limit.
  ///
  /// - Parameter text: Of `memory.max` (version 2, may be `max`) or `memory.limit_in_bytes` (version 1, where no limit is a
  ///   number near 2^63).
  /// - Returns: Bytes; `nil` for no limit.
  package static func limit(_ text: String) -> Int? {
    guard let bytes = Int(text.prefix { $0 != "\n" }), bytes >= 0, bytes < 1 << 60 else {
      return nil
    }
    return bytes
  }
}
