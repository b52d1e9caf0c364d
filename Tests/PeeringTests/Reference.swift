import Foundation
import Wire

/// What other implementations have computed, see `Reference/make.py`.
enum Reference {
  static func cases(_ name: String) throws -> [JSON] {
    let file = URL(fileURLWithPath: #filePath).deletingLastPathComponent()
      .appendingPathComponent("Reference/reference.json")
    let all = try JSON.parse(Array(Data(contentsOf: file)).span)
    guard case .array(let cases)? = all[name], !cases.isEmpty else {
      throw Missing(name: name)
    }
    return cases
  }

  struct Missing: Error { let name: String }
}

extension JSON {
  func bytes(_ name: String) throws -> [UInt8] {
    guard let text = self[name]?.asString else { throw Reference.Missing(name: name) }
    return hex(text)
  }

  func list(_ name: String) throws -> [[UInt8]] {
    guard case .array(let items)? = self[name] else { throw Reference.Missing(name: name) }
    return items.compactMap { $0.asString.map(hex) }
  }
}
