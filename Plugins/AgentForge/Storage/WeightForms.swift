import GatewayPlugin

/// How the weights of each form stand in a model's file.
///
/// A dense model has every tensor of its layout as F32. The others have their matrices (a ternary one those of its
/// linear layers) in the tensor `forge.payload`, bytes that only their form understands, and all else as F32.
package enum WeightForms {
  /// The tensor of packed bytes.
  package static let payloadName = "forge.payload"

  /// Whether a model of `form` has `tensor` as numbers of its own in the file.
  package static func holds(_ tensor: ParameterLayout.Tensor, _ form: LanguageModel.Form) -> Bool {
    switch form {
    case .dense: true
    case .ternary: tensor.role != .linear
    case .compressed: !CompressedWeights.holds(tensor)
    }
  }

  /// Checks before a model is stored that it can be read again as it is.
  ///
  /// - Parameter model: With its payload.
  /// - Throws: `ModelFault` for a payload that is not of this form and shape.
  package static func check(_ model: LanguageModel) throws(ModelFault) {
    precondition(model.form != .dense || model.payload.isEmpty, "a dense model has no payload")
    var copy = model
    if model.form != .dense { copy.parameters = Parameters(model.shape) }
    try fill(&copy)
  }

  /// Fills in what the payload says, after the other tensors were read.
  ///
  /// - Parameter model: The tensors that are not held are zero; its payload is what the file had.
  /// - Throws: `ModelFault` for a payload that cannot be read.
  package static func fill(_ model: inout LanguageModel) throws(ModelFault) {
    do {
      switch model.form {
      case .dense: break
      case .ternary: try TernaryWeights.fill(model.parameters, model.payload)
      case .compressed: try CompressedWeights.fill(model.parameters, model.payload)
      }
    } catch { throw ModelFault(payloadName, error.description) }
  }
}
