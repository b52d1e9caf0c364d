/// What a machine has and uses, at one moment.
package struct Measurement: Sendable, Equatable {
  /// Thousandths of a core that this process may use.
  package var millicores = 0
  package var memoryMegabytes = 0
  package var memoryFreeMegabytes = 0
  package var diskMegabytes = 0
  package var diskFreeMegabytes = 0
  /// Of all cores since the look before, 0 to 1.
  package var load = 0.0
  /// Names of GPUs.
  package var gpus: [String] = []
  package var hostname = ""

  package init() {}
}
