package import GatewayPlugin

/// Why files are no model, with every reason found; the fields are names of files and what stands in them.
package struct ModelFault: Error, Equatable, CustomStringConvertible {
  /// At least one.
  package let errors: [FieldError]

  /// Several reasons.
  package init(_ errors: [FieldError]) { self.errors = errors }

  /// One reason.
  package init(_ field: String, _ reason: String) {
    self.init([FieldError(field: field, reason: reason)])
  }

  package var description: String {
    errors.map { "\($0.field): \($0.reason)" }.joined(separator: "; ")
  }
}
