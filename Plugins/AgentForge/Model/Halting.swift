import CForge
import Glibc

/// Adaptive computation over the layers (Graves 2016, section 2, with the layers as steps): after each block but the
/// last a unit says with probability p = σ(u·x + b) that the token is done; what is read is the mean of the layers'
/// states, weighted by p, where the layer at which the sum passes the threshold gets what remains to 1.
///
/// All layers are computed for every token, because later tokens attend to each of them.
package final class HaltingStates: Sendable {
  /// Where the sum of probabilities counts as done: Graves' 1 − ε.
  static let threshold: Float = 0.99

  /// `[M, width]`: the gradient of the mixed state.
  let mixedGradient: Floats
  /// `[layers, M]`: each layer's weight in the mixed state.
  let weights: Floats
  /// `[layers, M]`: the probability that each layer's unit gave, and its gradient.
  private let probabilities, probabilityGradients: Floats
  /// `[M]`: the layer that got the remainder, from 0.
  let last: Floats
  private let layers, width, room: Int

  /// Floats that one token takes.
  static func floatsPerToken(_ shape: ModelShape) -> Int { shape.width + 3 * shape.layers + 1 }

  init(_ shape: ModelShape, count: Int, _ account: MemoryAccount?) {
    layers = shape.layers
    width = shape.width
    room = count
    mixedGradient = Floats(count * width, account)
    weights = Floats(layers * count, account)
    probabilities = Floats(layers * count, account)
    probabilityGradients = Floats(layers * count, account)
    last = Floats(count, account)
  }

  /// The mean number of layers after which the first `count` tokens halted, from 1.
  package func meanLayers(_ count: Int) -> Double {
    (0..<count).reduce(0) { $0 + Double(last[$1]) + 1 } / Double(max(count, 1))
  }

  /// Sets `mixed[count, width]` from the layers' states.
  func forward(count: Int, _ parameters: Parameters, states: [Floats], mixed: Floats) {
    guard let unit = parameters.layout.halting else {
      preconditionFailure("the model has no halting unit")
    }
    let weight = unsafe parameters.values.start + unit
    let bias = parameters.values[unit + width]
    mixed.clear()
    for position in 0..<count {
      let target = unsafe mixed.start + position * width
      var sum: Float = 0
      var isDone = false
      for layer in 0..<layers {
        let slot = layer * room + position
        weights[slot] = 0
        if isDone { continue }
        let state = unsafe states[layer + 1].start + position * width
        let p =
          layer == layers - 1 ? 1 : unsafe 1 / (1 + exp(-(forge_dot(width, weight, state) + bias)))
        probabilities[slot] = p
        isDone = sum + p >= Self.threshold
        let share = isDone ? 1 - sum : p
        weights[slot] = share
        sum += share
        if isDone { last[position] = Float(layer) }
        unsafe forge_axpy(width, share, state, target)
      }
    }
  }

  /// Finds the probabilities' gradients from `mixedGradient`.
  ///
  /// The time of a token is N + R, layers and remainder; R falls by what each p before N grows (Graves, equation 14).
  func findGradients(count: Int, ponderCost: Float, _ states: [Floats]) {
    for position in 0..<count {
      let gradient = unsafe mixedGradient.start + position * width
      let end = Int(last[position])
      let remainder = unsafe forge_dot(width, gradient, states[end + 1].start + position * width)
      for layer in 0..<end {
        let own = unsafe forge_dot(width, gradient, states[layer + 1].start + position * width)
        probabilityGradients[layer * room + position] = own - remainder - ponderCost
      }
    }
  }

  /// Adds the mixed state's share to the gradient of the output of `layer`, and to that of the unit.
  func backward(
    layer: Int,
    _ count: Int,
    _ parameters: Parameters,
    _ states: [Floats],
    _ stateGradient: Floats,
    _ gradients: Floats
  ) {
    guard let unit = parameters.layout.halting else {
      preconditionFailure("the model has no halting unit")
    }
    let weight = unsafe parameters.values.start + unit
    for position in 0..<count where layer <= Int(last[position]) {
      let slot = layer * room + position
      let gradient = unsafe stateGradient.start + position * width
      unsafe forge_axpy(width, weights[slot], mixedGradient.start + position * width, gradient)
      guard layer < Int(last[position]) else { continue }
      let p = probabilities[slot]
      let slope = probabilityGradients[slot] * p * (1 - p)
      unsafe forge_axpy(width, slope, weight, gradient)
      unsafe forge_axpy(
        width,
        slope,
        states[layer + 1].start + position * width,
        gradients.start + unit
      )
      gradients[unit + width] += slope
    }
  }
}
