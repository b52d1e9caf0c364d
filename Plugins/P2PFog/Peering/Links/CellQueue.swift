/// Cells that wait for a link, each circuit in turn, so that a busy circuit does not hold up a quiet one.
struct CellQueue: Sendable {
  /// Cells of one circuit that may wait.
  ///
  /// An honest sender never has more on its way than `OriginCircuit.window` and a few of control, so only a flood is cut.
  static let circuitLimit = 256

  private var waiting: [UInt32: [[UInt8]]] = [:]
  private var turns: [UInt32] = []
  private(set) var count = 0

  var isEmpty: Bool { count == 0 }

  /// Whether there was room for the cell.
  mutating func append(_ cell: [UInt8], circuit: UInt32) -> Bool {
    guard waiting[circuit, default: []].count < Self.circuitLimit else { return false }
    if waiting[circuit] == nil { turns.append(circuit) }
    waiting[circuit, default: []].append(cell)
    count += 1
    return true
  }

  /// The next cell.
  mutating func next() -> [UInt8]? {
    guard !turns.isEmpty else { return nil }
    let circuit = turns.removeFirst()
    guard let cell = waiting[circuit]?.removeFirst() else { return nil }
    count -= 1
    if waiting[circuit]?.isEmpty == true { waiting[circuit] = nil } else { turns.append(circuit) }
    return cell
  }

  /// Forgets the cells of a circuit that is over.
  mutating func discard(circuit: UInt32) {
    guard let cells = waiting.removeValue(forKey: circuit) else { return }
    count -= cells.count
    turns.removeAll { $0 == circuit }
  }
}
