/// Character references of HTML.
package enum HTMLEntities {
  /// `text` with `&amp;`, `&#8364;`, `&#x20AC;` and the common names replaced; unknown ones stay.
  package static func resolved(_ text: String) -> String {
    let bytes = Array(text.utf8)
    guard bytes.contains(UInt8(ascii: "&")) else { return text }
    var output: [UInt8] = []
    output.reserveCapacity(bytes.count)
    var at = 0
    while at < bytes.count {
      if bytes[at] == UInt8(ascii: "&"), let (scalar, end) = reference(bytes, at + 1) {
        output.append(contentsOf: String(Character(scalar)).utf8)
        at = end
      } else {
        output.append(bytes[at])
        at += 1
      }
    }
    return String(decoding: output, as: UTF8.self)
  }

  private static func reference(_ bytes: [UInt8], _ start: Int) -> (Unicode.Scalar, Int)? {
    let limit = min(bytes.count, start + 12)
    guard start < limit else { return nil }
    let end = bytes[start..<limit].firstIndex { !ASCIIClass.isAlphanumeric($0) && $0 != 0x23 }
    let stop = end ?? limit
    let name = String(decoding: bytes[start..<stop], as: UTF8.self)
    let behind = stop < bytes.count && bytes[stop] == UInt8(ascii: ";") ? stop + 1 : stop
    if name.hasPrefix("#") {
      let isHexadecimal = name.dropFirst().first.map { $0 == "x" || $0 == "X" } ?? false
      let digits = name.dropFirst(isHexadecimal ? 2 : 1)
      guard let number = UInt32(digits, radix: isHexadecimal ? 16 : 10) else { return nil }
      // HTML reads the C1 range as Windows-1252; only what documents really use is mapped.
      return (windows[number] ?? Unicode.Scalar(number) ?? "\u{FFFD}", behind)
    }
    // Without the semicolon only the oldest names count, and nothing may be guessed of the others.
    guard let scalar = names[name], behind > stop || old.contains(name) else { return nil }
    return (scalar, behind)
  }

  private static let old: Set<String> = ["amp", "lt", "gt", "quot", "nbsp", "copy", "reg"]

  private static let windows: [UInt32: Unicode.Scalar] = [
    0: "\u{FFFD}", 0x80: "€", 0x85: "…", 0x91: "‘", 0x92: "’", 0x93: "“", 0x94: "”", 0x95: "•",
    0x96: "–", 0x97: "—", 0x99: "™",
  ]

  private static let names: [String: Unicode.Scalar] = [
    "amp": "&", "lt": "<", "gt": ">", "quot": "\"", "apos": "'", "nbsp": "\u{A0}",
    "copy": "©", "reg": "®", "trade": "™", "hellip": "…", "mdash": "—", "ndash": "–",
    "lsquo": "‘", "rsquo": "’", "sbquo": "‚", "ldquo": "“", "rdquo": "”", "bdquo": "„",
    "laquo": "«", "raquo": "»", "bull": "•", "middot": "·", "deg": "°", "plusmn": "±",
    "times": "×", "divide": "÷", "frac12": "½", "frac14": "¼", "frac34": "¾", "micro": "µ",
    "para": "¶", "sect": "§", "euro": "€", "pound": "£", "yen": "¥", "cent": "¢",
    "larr": "←", "rarr": "→", "uarr": "↑", "darr": "↓", "harr": "↔", "minus": "−",
    "le": "≤", "ge": "≥", "ne": "≠", "asymp": "≈", "infin": "∞", "sum": "∑", "radic": "√",
    "alpha": "α", "beta": "β", "gamma": "γ", "delta": "δ", "lambda": "λ", "mu": "μ", "pi": "π",
    "sigma": "σ", "omega": "ω", "Delta": "Δ", "Omega": "Ω", "Sigma": "Σ",
    "Agrave": "À", "Aacute": "Á", "Acirc": "Â", "Atilde": "Ã", "Auml": "Ä", "Aring": "Å",
    "AElig": "Æ", "Ccedil": "Ç", "Egrave": "È", "Eacute": "É", "Ecirc": "Ê", "Euml": "Ë",
    "Igrave": "Ì", "Iacute": "Í", "Icirc": "Î", "Iuml": "Ï", "Ntilde": "Ñ", "Ograve": "Ò",
    "Oacute": "Ó", "Ocirc": "Ô", "Otilde": "Õ", "Ouml": "Ö", "Oslash": "Ø", "Ugrave": "Ù",
    "Uacute": "Ú", "Ucirc": "Û", "Uuml": "Ü", "Yacute": "Ý", "szlig": "ß", "agrave": "à",
    "aacute": "á", "acirc": "â", "atilde": "ã", "auml": "ä", "aring": "å", "aelig": "æ",
    "ccedil": "ç", "egrave": "è", "eacute": "é", "ecirc": "ê", "euml": "ë", "igrave": "ì",
    "iacute": "í", "icirc": "î", "iuml": "ï", "ntilde": "ñ", "ograve": "ò", "oacute": "ó",
    "ocirc": "ô", "otilde": "õ", "ouml": "ö", "oslash": "ø", "ugrave": "ù", "uacute": "ú",
    "ucirc": "û", "uuml": "ü", "yacute": "ý", "yuml": "ÿ", "oelig": "œ", "OElig": "Œ",
    "Scaron": "Š", "scaron": "š", "iexcl": "¡", "iquest": "¿", "ordf": "ª", "ordm": "º",
    "shy": "\u{AD}", "ensp": " ", "emsp": " ", "thinsp": " ", "zwnj": "\u{200C}",
  ]
}
