package import GatewayPlugin

/// What `forge.json` says of a model: how it is talked to, how it is stored, and where it comes from.
package struct ModelCard: Sendable, Equatable {
  /// A model it came from, as it was called then.
  package struct Parent: Sendable, Equatable {
    package var id: String
    package var name: String
    package var phase: String
  }

  package var name: String
  package var template: LanguageModel.Template
  package var form: LanguageModel.Form
  package var systemPrompt: String
  /// Names of the numbers beside the transformer's, sorted.
  package var extras: [String]
  /// The phase that made it, or `import`.
  package var phase: String
  /// The phases it and its ancestors went through, in order.
  package var phasesCompleted: [String]
  package var parents: [Parent]
  /// What was measured of it, an object.
  package var metrics: JSON
  package var dataFingerprint: String
}

extension ModelCard {
  /// The content of the file.
  package var json: JSON {
    [
      "format": 1, "name": .string(name), "template": .string(template.rawValue),
      "form": .string(form.rawValue), "system_prompt": .string(systemPrompt),
      "extras": .array(extras.map { .string($0) }), "phase": .string(phase),
      "phases_completed": .array(phasesCompleted.map { .string($0) }),
      "parents": .array(
        parents.map {
          ["model_id": .string($0.id), "name": .string($0.name), "phase": .string($0.phase)]
        }
      ),
      "metrics": metrics, "data_fingerprint": .string(dataFingerprint),
    ]
  }

  /// Reads the content of such a file.
  ///
  /// - Parameter fields: Of the file; every fault is noted there under its own name.
  package init(_ fields: inout Fields) {
    _ = fields.integer("format", 1...1)
    name = fields.string("name", 1...Self.longestName)
    template = fields.value("template")
    form = fields.value("form")
    systemPrompt = fields.string("system_prompt", default: "")
    extras = fields.strings("extras", 0...64, length: 1...128)
    phase = fields.string("phase", 1...64)
    phasesCompleted = fields.strings("phases_completed", 0...1024, length: 1...64)
    parents = fields.objects("parents", 0...64) { part in
      Parent(
        id: part.string("model_id", 1...64),
        name: part.string("name", 0...Self.longestName),
        phase: part.string("phase", 0...64)
      )
    }
    metrics = fields.json("metrics") ?? [:]
    if metrics.asMembers == nil { fields.refuse("metrics", "must be a JSON object") }
    dataFingerprint = fields.string("data_fingerprint", 0...64, default: "")
  }

  /// The most characters of a model's name.
  package static let longestName = 200
}

extension Fields {
  /// One of the cases of a type of texts.
  fileprivate mutating func value<Value: RawRepresentable<String> & CaseIterable>(
    _ name: String
  ) -> Value {
    let cases = Array(Value.allCases)
    let text = choice(name, cases.map(\.rawValue))
    // A refused text has been noted; the first case stands in for it.
    return Value(rawValue: text) ?? cases[0]
  }
}
