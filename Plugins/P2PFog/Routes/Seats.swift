import GatewayPlugin
import Synchronization

/// Seats at what holds one of the gateway's threads for as long as its client likes: so many in all, and for each user fewer,
/// so that nobody has all of them while another waits.
final class Seats: Sendable {
  /// One of them; free again when the last reference to it goes, on any thread.
  final class Seat: Sendable {
    private let user: String
    private let seats: Seats

    fileprivate init(_ user: String, _ seats: Seats) {
      self.user = user
      self.seats = seats
    }

    deinit { seats.free(user) }
  }

  /// Seats in all, and for one user.
  let total, perUser: Int
  private let what: String
  private let advice: String
  private let taken = Mutex<[String: Int]>([:])

  /// Free seats.
  ///
  /// - Parameters:
  ///   - what: What they are for, in the plural, as in "3 logs are followed already": "logs are followed".
  ///   - total: From 2 on.
  ///   - perUser: Fewer than `total`.
  ///   - advice: What a refused client may do instead of waiting, with a comma behind it; or nothing.
  init(_ what: String, total: Int, perUser: Int, advice: String = "") {
    precondition((1..<total).contains(perUser), "one user must not have all seats")
    self.what = what
    self.total = total
    self.perUser = perUser
    self.advice = advice
  }

  /// Takes a seat.
  ///
  /// - Parameter user: The caller's subject.
  /// - Returns: The seat, to be held while the thread is.
  /// - Throws: 429 for a user who has as many as one may, 503 when all are taken; both name the limit.
  func take(_ user: String) throws(Failure) -> Seat {
    try taken.withLock { (taken) throws(Failure) in
      let own = taken[user, default: 0]
      guard own < perUser else {
        throw .tooManyRequests(
          "\(perUser) \(what) for you already, as many as one user may have; \(advice)end one or try again.",
          retryAfter: .seconds(5)
        )
      }
      guard taken.values.reduce(0, +) < total else {
        throw .unavailable(
          "\(total) \(what) already, as many as can be for all users; \(advice)try again.",
          retryAfter: .seconds(5)
        )
      }
      taken[user] = own + 1
    }
    return Seat(user, self)
  }

  private func free(_ user: String) {
    taken.withLock { taken in
      let left = taken[user, default: 1] - 1
      taken[user] = left > 0 ? left : nil
    }
  }
}
