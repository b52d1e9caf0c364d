/// A question as the index can be asked it.
package struct Question: Sendable {
  /// Distinct words looked for; the rest of a longer question is left out.
  package static let maxTerms = 32
  /// Quoted phrases looked for.
  package static let maxPhrases = 8

  /// The words that say what is asked, distinct by stem, in order.
  package var terms: [Terms.Term]
  /// What stood between quotation marks, as words.
  package var phrases: [[Terms.Term]]

  package init(_ text: String) {
    let all = Terms.all(in: text)
    var telling: [Terms.Term] = []
    for (index, term) in all.enumerated() where !Terms.stopWords.contains(term.word) {
      // "How long …" asks; "a long rope" tells.
      let asks = index > 0 && all[index - 1].word == "how" && Terms.measures.contains(term.word)
      if !asks { telling.append(term) }
    }
    // A question of nothing but small words ("to be or not to be") is asked with them.
    if telling.isEmpty { telling = all }
    var seen: Set<String> = []
    terms = Array(telling.filter { seen.insert($0.stem).inserted }.prefix(Self.maxTerms))
    let parts = text.split(omittingEmptySubsequences: false) { "\"“”„«»".contains($0) }
    // What is between the first and second mark, the third and fourth, …
    phrases = stride(from: 1, to: max(1, parts.count - 1), by: 2)
      .map { Terms.all(in: String(parts[$0])) }
      .filter { $0.count > 1 && $0.count <= Self.maxTerms }
    phrases = Array(phrases.prefix(Self.maxPhrases))
  }

  /// The FTS5 expression for the terms.
  ///
  /// Every word is made of letters and digits and stands in quotation marks, so that nothing a
  /// client writes is an operator.
  static func expression(_ terms: [Terms.Term], allOf: Bool, beginnings: Bool = false) -> String {
    terms.map { term in
      let forms = Inflections.forms(of: term.word)
        .map { quoted($0) + (beginnings && $0.utf8.count >= 4 ? "*" : "") }
      return forms.count == 1 ? forms[0] : "(\(forms.joined(separator: " OR ")))"
    }
    .joined(separator: allOf ? " AND " : " OR ")
  }

  static func quoted(_ word: String) -> String { "\"\(word)\"" }
}
