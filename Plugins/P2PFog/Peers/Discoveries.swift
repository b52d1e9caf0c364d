import Peering
import Synchronization

/// Beacons that were heard while someone looked for peers.
final class Discoveries: Sendable {
  /// A peer that answered.
  struct Found: Sendable, Equatable {
    var peer: PeerID
    var endpoint: Endpoint
    var name: String
    var isKnown: Bool
  }

  /// Beacons kept of one search; beacons of further peers are passed over.
  private static let limit = 1000

  private let searches = Mutex<[Int: [Found]]>([:])
  private let next = Atomic<Int>(0)

  /// Begins to listen; `end` gives what was heard.
  func begin() -> Int {
    let number = next.wrappingAdd(1, ordering: .relaxed).oldValue
    searches.withLock { $0[number] = [] }
    return number
  }

  /// What a search has heard, each peer once, in order of identities.
  func end(_ search: Int) -> [Found] {
    let found = searches.withLock { $0.removeValue(forKey: search) } ?? []
    return found.sorted { $0.peer < $1.peer }
  }

  /// How many peers a search has heard so far.
  func count(_ search: Int) -> Int { searches.withLock { $0[search]?.count ?? 0 } }

  /// Notes a beacon for every search under way.
  func found(_ peer: PeerID, _ endpoint: Endpoint, name: String, isKnown: Bool) {
    let found = Found(peer: peer, endpoint: endpoint, name: name, isKnown: isKnown)
    searches.withLock { searches in
      for (number, heard) in searches where heard.count < Self.limit {
        if heard.contains(where: { $0.peer == peer }) { continue }
        searches[number] = heard + [found]
      }
    }
  }
}
