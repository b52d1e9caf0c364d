import Testing

@testable import Peering

@Suite("Peers that the operator has named and that have not been met")
struct AppointmentsTests {
  static let place = SimulatedNetwork.endpoint(1)

  @Test("each is tried at once, then every nine seconds, until it is cancelled")
  func tried() {
    var appointments = Appointments()
    let (first, second) = (SimulatedNetwork.identity(1).id, SimulatedNetwork.identity(2).id)
    #expect(appointments.due(now: 5).isEmpty)
    appointments.make(with: first, at: Self.place, invitation: nil, now: 5)
    #expect(appointments.due(now: 5).map(\.peer) == [first])
    #expect(appointments.due(now: 5 + Appointments.interval - 1).isEmpty)
    appointments.make(with: second, at: Self.place, invitation: [1], now: 6)
    #expect(appointments.due(now: 6).map(\.invitation) == [[1]])
    #expect(appointments.due(now: 5 + Appointments.interval).map(\.peer) == [first])
    appointments.cancel(first)
    #expect(appointments.due(now: 100 * Appointments.interval).map(\.peer) == [second])
  }

  @Test("a peer that is named anew is tried at the new address, and there is a bound for all")
  func bounded() {
    var appointments = Appointments()
    for number in 0...Appointments.limit {
      let id = SimulatedNetwork.identity(number).id
      appointments.make(with: id, at: Self.place, invitation: nil, now: 0)
    }
    let elsewhere = SimulatedNetwork.endpoint(2)
    let first = SimulatedNetwork.identity(0).id
    appointments.make(with: first, at: elsewhere, invitation: nil, now: 0)
    let due = appointments.due(now: 0)
    #expect(due.count == Appointments.limit)
    #expect(due.first { $0.peer == first }?.endpoint == elsewhere)
  }
}
