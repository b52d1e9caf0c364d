import CForge
import GatewayPlugin
import Glibc
import PluginStorage

// The file `model.safetensors` of a model's folder.
extension ModelFolder {
  /// What the tensors of a model's extras are named after.
  private static let extraPrefix = "forge.extra."

  /// The tensors that a model's file has as numbers of its own.
  private static func kept(_ model: LanguageModel) -> [ParameterLayout.Tensor] {
    model.parameters.layout.tensors.filter { WeightForms.holds($0, model.form) }
  }

  private static func header(_ model: LanguageModel) -> Safetensors.Header {
    var parts = kept(model).map {
      (name: $0.name, kind: Safetensors.Kind.float32, dimensions: $0.dimensions)
    }
    parts += model.extras.sorted { $0.key < $1.key }
      .map { (extraPrefix + $0.key, .float32, [$0.value.count]) }
    if model.form != .dense {
      parts.append((WeightForms.payloadName, .uint8, [model.payload.count]))
    }
    // The label tells PyTorch's libraries that the tensors are laid out as theirs.
    return Safetensors.Header(parts, metadata: [.init("format", "pt")])
  }

  /// Bytes of the file of weights that a model has or would have.
  package static func weightBytes(_ model: LanguageModel) -> Int {
    let header = header(model)
    return header.bytes.count + header.dataBytes
  }

  func writeWeights(_ model: LanguageModel) throws(StorageError) {
    let kept = Self.kept(model)
    let extras = model.extras.sorted { $0.key < $1.key }
    let header = Self.header(model)
    let file = try OpenFile(path: path(of: .weights), flags: O_WRONLY | O_CREAT | O_EXCL)
    try file.write(header.bytes.span)
    for tensor in kept {
      try model.parameters.values.withBytes(tensor.range) { (bytes) throws(StorageError) in
        try file.write(bytes)
      }
    }
    for extra in extras {
      try extra.value.withBytes { (bytes) throws(StorageError) in try file.write(bytes) }
    }
    if model.form != .dense { try file.write(model.payload.span) }
    try file.synchronize()
  }

  func readWeights(
    _ shape: ModelShape,
    _ tokenizer: Tokenizer,
    _ card: ModelCard?,
    _ account: MemoryAccount?
  ) throws -> LanguageModel {
    do {
      let file = try SafetensorsFile(path: path(of: .weights))
      let form = card?.form ?? .dense
      let layout = ParameterLayout(shape)
      // Checked before anything is allocated: a small file cannot ask for much memory.
      try Self.check(file.header, layout, form, card?.extras ?? [])
      let parameters = Parameters(shape, account)
      for tensor in layout.tensors where WeightForms.holds(tensor, form) {
        guard let stored = file.header.tensor(tensor.name) else { continue }
        try file.read(stored, into: parameters.values, at: tensor.offset)
        try Self.checkFinite(parameters.values, tensor.range, tensor.name)
      }
      var model = LanguageModel(
        parameters: parameters,
        tokenizer: tokenizer,
        template: card?.template ?? .plain
      )
      model.form = form
      model.systemPrompt = card?.systemPrompt ?? ""
      for name in card?.extras ?? [] {
        guard let stored = file.header.tensor(Self.extraPrefix + name) else { continue }
        let floats = Floats(stored.count, account)
        try file.read(stored, into: floats)
        try Self.checkFinite(floats, 0..<floats.count, stored.name)
        model.extras[name] = floats
      }
      if let stored = file.header.tensor(WeightForms.payloadName) {
        model.payload = try file.bytes(of: stored)
      }
      try WeightForms.fill(&model)
      return model
    } catch let error as SafetensorsError {
      throw ModelFault(File.weights.rawValue, error.description)
    }
  }

  /// Checks that a file has exactly the tensors of a model; names at most ten that are otherwise.
  private static func check(
    _ header: Safetensors.Header,
    _ layout: ParameterLayout,
    _ form: LanguageModel.Form,
    _ extras: [String]
  ) throws(ModelFault) {
    var stored: [String: Safetensors.Tensor] = [:]
    for tensor in header.tensors { stored[tensor.name] = tensor }
    var faults: [String] = []
    func take(_ name: String, _ dimensions: [Int]?) {
      guard let found = stored.removeValue(forKey: name) else {
        faults.append("tensor \(name) is missing")
        return
      }
      if let dimensions, found.dimensions != dimensions {
        faults.append("tensor \(name): has the shape \(found.dimensions), not \(dimensions)")
      } else if dimensions == nil, found.dimensions.count != 1 {
        faults.append("tensor \(name): must be a vector")
      }
    }
    for tensor in layout.tensors where WeightForms.holds(tensor, form) {
      take(tensor.name, tensor.dimensions)
    }
    for name in extras { take(extraPrefix + name, nil) }
    if form != .dense {
      if let payload = stored[WeightForms.payloadName], payload.kind != .uint8 {
        faults.append("tensor \(payload.name): must be U8")
      }
      take(WeightForms.payloadName, nil)
    }
    for name in stored.keys.sorted() {
      faults.append("tensor \(name.unicodeScalars.prefix(120)) is not known here")
    }
    guard !faults.isEmpty else { return }
    var errors = faults.prefix(10).map { FieldError(field: File.weights.rawValue, reason: $0) }
    if faults.count > 10 {
      errors.append(
        FieldError(field: File.weights.rawValue, reason: "and \(faults.count - 10) tensors more")
      )
    }
    throw ModelFault(errors)
  }

  private static func checkFinite(
    _ floats: Floats,
    _ range: Range<Int>,
    _ name: String
  ) throws(SafetensorsError) {
    let isFinite = unsafe forge_all_finite(range.count, floats.start + range.lowerBound) != 0
    if !isFinite { throw SafetensorsError("tensor \(name): holds numbers that are not finite") }
  }
}
