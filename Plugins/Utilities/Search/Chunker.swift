package import PluginStorage

/// Divides a document into passages along its own structure.
///
/// A heading begins a new passage. Paragraphs, items and rows are gathered up to the target; none is cut while it fits,
/// and one that does not is cut between sentences, and between words only inside a sentence longer than a passage.
package struct Chunker: ~Copyable {
  /// Words at which a passage is complete.
  package static let targetWords = 160
  /// Words a passage never exceeds.
  package static let maxWords = 220
  /// Bytes a passage never exceeds, for text without spaces.
  package static let maxBytes = 6_000
  /// Bytes of one heading, and levels, that are kept.
  static let maxHeadingBytes = 200

  package private(set) var passages = 0
  package private(set) var sections = 0
  package private(set) var words = 0

  private var headings: [(level: Int, text: String)] = []
  /// Whether the last heading has nothing under it yet.
  private var bareHeading: Block?
  private var lines: [String] = []
  private var gathered = (words: 0, bytes: 0)
  private var first: Block?
  private var end = 0

  package init() {}

  /// Takes the next block of the document.
  package mutating func add(
    _ block: Block,
    _ emit: (Passage) throws(StorageError) -> Void
  ) throws(StorageError) {
    if case .heading(let level) = block.kind {
      try close(emit)
      sections += 1
      headings.removeAll { $0.level >= level }
      headings.append((level, PlainWords.prefix(block.text, bytes: Self.maxHeadingBytes)))
      bareHeading = block
      return
    }
    if sections == 0 { sections = 1 }
    bareHeading = nil
    let count = PlainWords.count(block.text)
    guard count > Self.maxWords || block.text.utf8.count > Self.maxBytes else {
      return try gather(block.text, words: count, of: block, emit)
    }
    for piece in Self.pieces(block.text) {
      try gather(piece, words: PlainWords.count(piece), of: block, emit)
    }
  }

  /// Gives the last passage.
  package mutating func finish(
    _ emit: (Passage) throws(StorageError) -> Void
  ) throws(StorageError) {
    try close(emit)
  }

  private mutating func gather(
    _ text: String,
    words count: Int,
    of block: Block,
    _ emit: (Passage) throws(StorageError) -> Void
  ) throws(StorageError) {
    let bytes = text.utf8.count
    let isOver =
      gathered.words + count > Self.maxWords || gathered.bytes + bytes > Self.maxBytes
      || gathered.words >= Self.targetWords || (first != nil && first?.page != block.page)
    if !lines.isEmpty, isOver { try close(emit) }
    if first == nil { first = block }
    lines.append(text)
    gathered.words += count
    gathered.bytes += bytes + 1
    end = block.end
  }

  private mutating func close(
    _ emit: (Passage) throws(StorageError) -> Void
  ) throws(StorageError) {
    // A heading with nothing under it is itself what the document says there.
    if let heading = bareHeading {
      bareHeading = nil
      first = heading
      lines = [heading.text]
      gathered = (PlainWords.count(heading.text), heading.text.utf8.count)
      end = heading.end
    }
    guard let block = first else { return }
    let passage = Passage(
      ordinal: passages,
      headings: headings.map(\.text),
      body: lines.joined(separator: "\n"),
      words: gathered.words,
      start: block.start,
      end: end,
      line: block.line,
      page: block.page
    )
    passages += 1
    words += gathered.words
    first = nil
    lines = []
    gathered = (0, 0)
    try emit(passage)
  }

  /// `text` in pieces of whole sentences, each at most a passage long; lines stay lines.
  static func pieces(_ text: String) -> [String] {
    var pieces: [String] = []
    var piece = ""
    var words = 0
    for line in text.split(separator: "\n") {
      var isFirstOfLine = true
      for sentence in Sentences.split(String(line)).flatMap(shortened) {
        let count = PlainWords.count(sentence)
        let isOver = piece.utf8.count + 1 + sentence.utf8.count > maxBytes
        if !piece.isEmpty, isOver || words + count > targetWords {
          pieces.append(piece)
          piece = ""
          words = 0
        }
        piece += piece.isEmpty ? sentence : (isFirstOfLine ? "\n" : " ") + sentence
        words += count
        isFirstOfLine = false
      }
    }
    if !piece.isEmpty { pieces.append(piece) }
    return pieces
  }

  /// A sentence that is longer than a passage, cut between words, or between characters at worst.
  private static func shortened(_ sentence: String) -> [String] {
    guard PlainWords.count(sentence) > targetWords || sentence.utf8.count > maxBytes else {
      return [sentence]
    }
    var parts: [String] = []
    var part = ""
    var words = 0
    for word in sentence.split(separator: " ") {
      if words >= targetWords || part.utf8.count + word.utf8.count > maxBytes, !part.isEmpty {
        parts.append(part)
        part = ""
        words = 0
      }
      var rest = String(word)
      while rest.utf8.count > maxBytes {
        let head = PlainWords.prefix(rest, bytes: maxBytes - 1)
        parts.append(head)
        rest = String(rest.dropFirst(head.count))
      }
      part += part.isEmpty ? rest : " " + rest
      words += 1
    }
    if !part.isEmpty { parts.append(part) }
    return parts
  }
}
