package import GatewayPlugin
import PluginStorage
import StorageAnswers

/// A model on its way in: an archive is taken apart as it arrives, its files go to disk and are checked there.
package final class ModelImport: BodySink {
  /// What the head of an import says.
  package struct Head: Sendable {
    package var contentType: String
    /// Bytes of the body, if announced.
    package var length: UInt64?
    package var owner: String
    /// What the model is to be called; `nil` for the name in `forge.json`.
    package var name: String?

    package init(contentType: String, length: UInt64?, owner: String, name: String?) {
      self.contentType = contentType
      self.length = length
      self.owner = owner
      self.name = name
    }
  }

  private final class Part {
    let content: OpenFile
    init(_ content: consuming OpenFile) { self.content = content }
  }

  private static let types = ["application/x-tar", "application/tar"]

  private let store: ModelStore
  private let head: Head
  private let limit: Int
  private var incoming: IncomingModel?
  private var reader = TarReader()
  private var part: Part?
  private var names: Set<String> = []
  private var received = 0

  /// Begins an import.
  ///
  /// - Parameters:
  ///   - head: What its head says.
  ///   - store: Where the model goes.
  ///   - limit: Bytes of the archive, and of the model in memory.
  /// - Throws: `Failure` for a head that cannot lead to a model.
  package init(_ head: Head, _ store: ModelStore, limit: Int) throws {
    self.store = store
    self.head = head
    self.limit = limit
    let type = MediaType.parse(Array(head.contentType.utf8).span)
    guard let type, Self.types.contains(type.essence) else {
      throw Failure.unsupportedMediaType(allowed: Self.types)
    }
    if let name = head.name, !(1...ModelCard.longestName).contains(name.unicodeScalars.count) {
      throw Failure.validation([
        FieldError(
          field: "name",
          reason: "must be text of 1 to \(ModelCard.longestName) characters"
        )
      ])
    }
    let announced = Int(clamping: head.length ?? 0)
    guard announced <= limit else { throw Failure.tooLarge(limit: limit) }
    // The files stand twice on the disk until the model is stored in its own form.
    let free = try answering(store.freeBytes)
    guard announced <= free / 2 else { throw answering.noSpace }
    incoming = try answering(store.receive)
  }

  package func receive(_ bytes: Span<UInt8>) throws {
    received += bytes.count
    guard received <= limit else { throw Failure.tooLarge(limit: limit) }
    var offset = 0
    while true {
      let event: TarReader.Event
      do { event = try reader.next(bytes, from: &offset) } catch { throw Self.refusal(error) }
      switch event {
      case .needMore: return
      case .entry(let entry): try begin(entry)
      case .data(let range):
        try answering { () throws(StorageError) in
          try part?.content.write(bytes.extracting(range))
        }
      case .endOfFile: part = nil
      }
    }
  }

  package func finish() throws -> Response {
    do { try reader.finish() } catch { throw Self.refusal(error) }
    guard let incoming else { throw Failure.badRequest("The import has ended; begin another.") }
    defer { self.incoming = nil }
    let record: ModelRecord
    do {
      let (model, card) = try incoming.folder.read(limit: limit)
      record = try keep(model, card)
    } catch let error as ModelFault {
      throw Failure.validation(error.errors)
    } catch let error as StorageError {
      throw answering.thrown(error)
    }
    return .data(record.json, message: "Model imported successfully", status: 201)
  }

  package func abandoned() {
    part = nil
    incoming = nil
  }

  private func begin(_ entry: TarEntry) throws {
    let known = ModelFolder.File.allCases.map(\.rawValue)
    let shown = String(entry.path.unicodeScalars.prefix(64))
    guard case .file(let size, _) = entry.kind else {
      throw Self.refusal("\(shown) is no plain file; send files alone, without folders")
    }
    guard let file = ModelFolder.File(rawValue: entry.path) else {
      throw Failure.validation([
        FieldError(
          field: shown,
          reason: "is no file of a model; the archive holds only these, without folders",
          allowed: known
        )
      ])
    }
    guard names.insert(entry.path).inserted else {
      throw Failure.validation([FieldError(field: shown, reason: "is given more than once")])
    }
    if let most = file.maxBytes, size > most {
      throw Failure.validation([
        FieldError(field: shown, reason: "has \(size) bytes and may have \(most)")
      ])
    }
    part = try answering { () throws(StorageError) in
      try incoming.map { (incoming) throws(StorageError) in Part(try incoming.create(file)) }
    }
  }

  private func keep(_ model: LanguageModel, _ card: ModelCard?) throws -> ModelRecord {
    let claims = card?.metrics.asMembers ?? []
    let facts = ModelFacts(
      name: head.name ?? card?.name ?? "imported model",
      owner: head.owner,
      phase: ModelListing.imported,
      run: "",
      parents: [],
      // Not measured here.
      metrics: claims.isEmpty ? [:] : ["claimed": .object(claims)],
      dataFingerprint: card?.dataFingerprint ?? ""
    )
    let phases = (card?.phasesCompleted ?? []).filter { PhaseName(rawValue: $0) != nil }
    return try store.store(model, facts, phasesCompleted: phases)
  }

  private static func refusal(_ error: TarError) -> Failure {
    refusal("\(error); send the model's files as a tar archive of the form ustar")
  }

  private static func refusal(_ reason: String) -> Failure {
    .validation([FieldError(field: "archive", reason: reason)])
  }
}
