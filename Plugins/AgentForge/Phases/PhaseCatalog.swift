/// The phases there are.
package enum PhaseCatalog {
  /// All of them, in the pipeline's order.
  package static let all: [any Phase.Type] = [
    Cognate.self, EvoMerge.self, QuietStar.self, BitNet.self, ForgeTraining.self,
    ToolPersonaBaking.self, ADAS.self, FinalCompression.self,
  ]
}
