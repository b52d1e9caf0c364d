import GatewayPlugin

/// How the weights of each form stand in a model's file.
///
/// A dense model has every tensor of its layout as F32. A packed one has its linear layers in the tensor
/// `forge.payload`, bytes that only its form understands, and all other tensors as F32.
package enum WeightForms {
  /// The tensor of packed bytes.
  package static let payloadName = "forge.payload"

  /// Whether a model of `form` has `tensor` as numbers of its own in the file.
  package static func holds(_ tensor: ParameterLayout.Tensor, _ form: LanguageModel.Form) -> Bool {
    form == .dense || tensor.role != .linear
  }

  /// Checks before a model is stored that its form can be read again.
  ///
  /// - Parameter model: With its payload.
  /// - Throws: `ModelFault` for a form that this release does not store.
  package static func check(_ model: LanguageModel) throws(ModelFault) {
    switch model.form {
    case .dense:
      precondition(model.payload.isEmpty, "a dense model has no payload")
    case .ternary, .compressed: throw unknown(model.form)
    }
  }

  /// Fills in what the payload says, after the other tensors were read.
  ///
  /// - Parameter model: The linear layers are zero; its payload is what the file had.
  /// - Throws: `ModelFault` for a payload that cannot be read.
  package static func fill(_ model: inout LanguageModel) throws(ModelFault) {
    switch model.form {
    case .dense: break
    case .ternary, .compressed: throw unknown(model.form)
    }
  }

  private static func unknown(_ form: LanguageModel.Form) -> ModelFault {
    ModelFault("form", "\(form.rawValue) weights are not known to this release; use a dense model")
  }
}
