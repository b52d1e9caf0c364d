import GatewayPlugin
import Glibc
package import PluginStorage

/// The folder of one model: files that PyTorch's libraries read as a Llama, and `forge.json`.
package struct ModelFolder: Sendable {
  /// A file that belongs to a model.
  package enum File: String, Sendable, CaseIterable {
    case config = "config.json"
    case weights = "model.safetensors"
    case tokenizer = "tokenizer.json"
    case card = "forge.json"

    /// The most bytes it may have; `nil` for the weights, which the shape bounds.
    package var maxBytes: Int? {
      switch self {
      case .config: 64 << 10
      case .weights: nil
      case .tokenizer: 8 << 20
      case .card: 1 << 20
      }
    }
  }

  /// Where it is.
  package let path: String

  /// The folder at `path`.
  package init(_ path: String) { self.path = path }

  /// The path of one of its files.
  package func path(of file: File) -> String { path + "/" + file.rawValue }

  /// Bytes of one of its files; `nil` when there is none.
  package func size(of file: File) throws(StorageError) -> Int? {
    do { return try OpenFile(path: path(of: file), flags: O_RDONLY).size() } catch {
      if case .system(_, ENOENT) = error { return nil }
      throw error
    }
  }

  // MARK: - Writing

  /// Writes all files into the folder, which is empty, and brings them to the disk.
  ///
  /// - Parameters:
  ///   - model: The model, of a form that `WeightForms.check` takes.
  ///   - card: What `forge.json` says.
  /// - Returns: Bytes of all files.
  /// - Throws: `StorageError`.
  package func write(_ model: LanguageModel, _ card: ModelCard) throws(StorageError) -> Int {
    try write(.config, Self.config(model).bytes)
    try write(.tokenizer, model.tokenizer.json.bytes)
    try write(.card, card.json.bytes)
    try writeWeights(model)
    try Folder.synchronize(path)
    var bytes = 0
    for file in File.allCases { bytes += try size(of: file) ?? 0 }
    return bytes
  }

  /// The `config.json`, which calls a model a Llama only where one computes the same.
  private static func config(_ model: LanguageModel) -> JSON {
    let shape = model.shape
    let isLlama = model.form == .dense && !shape.halts && !shape.quantizesActivations
    guard !isLlama, let members = shape.json.asMembers else { return shape.json }
    return .object(
      members.filter { $0.name != "architectures" }.map {
        $0.name == "model_type" ? .init(name: $0.name, value: .string(ModelShape.ownKind)) : $0
      }
    )
  }

  private func create(_ file: File) throws(StorageError) -> OpenFile {
    try OpenFile(path: path(of: file), flags: O_WRONLY | O_CREAT | O_EXCL)
  }

  private func write(_ file: File, _ bytes: [UInt8]) throws(StorageError) {
    let made = try create(file)
    try made.write(bytes.span)
    try made.synchronize()
  }
}

extension ModelFolder {
  /// Reads the model.
  ///
  /// A foreign Llama comes without `forge.json`, and without `tokenizer.json` when its vocabulary is the bytes and
  /// specials.
  ///
  /// - Parameters:
  ///   - account: Is told of the model's bytes.
  ///   - limit: Bytes that its numbers may take in memory; a packed file is much smaller than what it asks for.
  /// - Returns: The model and what `forge.json` says, if there is one.
  /// - Throws: `ModelFault` with every reason why the files are no model, `StorageError`.
  package func read(
    _ account: MemoryAccount? = nil,
    limit: Int = .max
  ) throws -> (model: LanguageModel, card: ModelCard?) {
    var errors: [FieldError] = []
    let shape = try optional(.config, &errors) { ModelShape(&$0) }
    if try size(of: .config) == nil { errors.append(Self.missing(.config)) }
    let card = try optional(.card, &errors) { ModelCard(&$0) }
    var tokenizer = Tokenizer.bytes
    if let json = try json(.tokenizer, &errors) {
      do { tokenizer = try Tokenizer(json: json) } catch {
        errors.append(
          FieldError(field: File.tokenizer.rawValue, reason: (error as TokenizerError).description)
        )
      }
    } else if errors.isEmpty, let shape, shape.vocabulary != tokenizer.vocabulary {
      errors.append(
        FieldError(
          field: File.tokenizer.rawValue,
          reason: "is required: vocab_size is \(shape.vocabulary), and only a vocabulary of "
            + "\(tokenizer.vocabulary) (bytes and specials) needs none"
        )
      )
    }
    if try size(of: .weights) == nil { errors.append(Self.missing(.weights)) }
    guard errors.isEmpty, let shape else { throw ModelFault(errors) }
    guard shape.vocabulary == tokenizer.vocabulary else {
      throw ModelFault(
        "\(File.config.rawValue).vocab_size",
        "is \(shape.vocabulary), and tokenizer.json has \(tokenizer.vocabulary) tokens"
      )
    }
    let bytes = shape.parameterCount * MemoryLayout<Float>.stride
    guard bytes <= limit else {
      throw ModelFault(
        File.config.rawValue,
        "describes a model of \(bytes) bytes in memory, and one may have \(limit)"
      )
    }
    return (try readWeights(shape, tokenizer, card, account), card)
  }

  private static func missing(_ file: File) -> FieldError {
    FieldError(field: file.rawValue, reason: "is required")
  }

  /// What `read` makes of a JSON file; `nil` when there is none, or with an error.
  private func optional<Value>(
    _ file: File,
    _ errors: inout [FieldError],
    _ read: (inout Fields) -> Value
  ) throws(StorageError) -> Value? {
    guard let json = try json(file, &errors) else { return nil }
    var fields = Fields(.object([.init(name: file.rawValue, value: json)]))
    let value = fields.optionalObject(file.rawValue) { part in
      // A foreign file has members that nobody here asks for.
      for member in json.asMembers ?? [] { _ = part.json(member.name) }
      return read(&part)
    }
    do { try fields.finish() } catch {
      errors += (error.details?.asArray ?? []).map {
        FieldError(field: $0["field"]?.asString ?? "", reason: $0["reason"]?.asString ?? "")
      }
      return nil
    }
    return value
  }

  private func json(_ file: File, _ errors: inout [FieldError]) throws(StorageError) -> JSON? {
    guard let size = try size(of: file) else { return nil }
    if let limit = file.maxBytes, size > limit {
      errors.append(
        FieldError(field: file.rawValue, reason: "has \(size) bytes and may have \(limit)")
      )
      return nil
    }
    let bytes = try OpenFile(path: path(of: file), flags: O_RDONLY).read(at: 0, count: size)
    do { return try JSON.parse(bytes) } catch {
      errors.append(FieldError(field: file.rawValue, reason: "is not valid JSON at \(error)"))
      return nil
    }
  }
}
