/// A piece of a document that can stand as the answer to a question.
package struct Passage: Sendable, Equatable {
  /// Place among the document's passages, from 0.
  package var ordinal: Int
  /// Headings above it, outermost first.
  package var headings: [String]
  /// One line for each paragraph, list item or row.
  package var body: String
  package var words: Int
  /// Bytes of the document's text it was made from.
  package var start: Int
  package var end: Int
  /// Line of its first byte, from 1.
  package var line: Int
  /// Page from 1, where the document has pages.
  package var page: Int?
}
