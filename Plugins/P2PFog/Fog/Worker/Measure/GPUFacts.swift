/// GPUs, as NVIDIA's tool tells them.
package enum GPUFacts {
  /// What the tool is asked: a line for each GPU, its name alone.
  package static let arguments = ["--query-gpu=name", "--format=csv,noheader"]
  /// Places of the tool; a search path could be anyone's.
  package static let programs = ["/usr/bin/nvidia-smi", "/usr/local/bin/nvidia-smi"]

  /// Devices that programs need for these GPUs, as NVIDIA's driver names them.
  ///
  /// - Parameter numbers: Of the GPUs, from 0 in the order of their names.
  /// - Returns: Paths; those of the driver itself only beside a GPU.
  package static func devices(_ numbers: [Int]) -> [String] {
    if numbers.isEmpty { return [] }
    return ["/dev/nvidiactl", "/dev/nvidia-uvm"] + numbers.map { "/dev/nvidia\($0)" }
  }

  /// Reads the names.
  ///
  /// - Parameter text: The tool's output.
  /// - Returns: At most 64, each at most 128 characters.
  package static func names(_ text: String) -> [String] {
    text.split(separator: "\n").map { line in
      String(line.drop { $0 == " " }.prefix(128).filter { !$0.isNewline })
    }.filter { !$0.isEmpty }.prefix(64).map { $0 }
  }
}
