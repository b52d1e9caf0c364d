/// A function of a plugin and the argument it wants back.
// Sendable: the contract lets the host call these on the threads it names, and the host passes `user` on untouched.
// Both stay valid until the instance's destroy, which waits for every call under way.
@safe
struct Callback<Function>: @unchecked Sendable {
  let function: Function
  let user: UnsafeMutableRawPointer?
  private let site: CodeSite?

  /// - Parameters:
  ///   - function: Of the plugin.
  ///   - user: What it wants back.
  ///   - site: What a crash in there is named after.
  init(_ function: Function, user: UnsafeMutableRawPointer?, site: CodeSite? = nil) {
    self.function = function
    unsafe self.user = user
    self.site = site
  }

  /// Calls into the plugin, marked as such.
  @inline(__always)
  func within<Result>(_ step: CodeStep, _ body: () -> Result) -> Result {
    guard let site else { return body() }
    return site.within(step, body)
  }
}
