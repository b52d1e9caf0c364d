import Glibc

/// Cosines and sines of rotary positions (Su and others 2021), `[context, headWidth / 2]` each.
package final class RotaryTable: Sendable {
  let cosine, sine: Floats

  /// The table of `shape`.
  package init(_ shape: ModelShape) {
    let half = shape.headWidth / 2
    cosine = Floats(shape.context * half)
    sine = Floats(shape.context * half)
    for pair in 0..<half {
      let frequency = pow(Double(shape.ropeBase), -Double(2 * pair) / Double(shape.headWidth))
      for position in 0..<shape.context {
        let angle = Double(position) * frequency
        cosine[position * half + pair] = Float(cos(angle))
        sine[position * half + pair] = Float(sin(angle))
      }
    }
  }
}
