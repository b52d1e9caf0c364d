/// A function of a plugin and the argument it wants back.
// Sendable: the contract lets the host call these on the threads it names, and the host passes `user` on untouched.
// Both stay valid until the instance's destroy, which waits for every call under way.
@safe
struct Callback<Function>: @unchecked Sendable {
  let function: Function
  let user: UnsafeMutableRawPointer?

  init(_ function: Function, user: UnsafeMutableRawPointer?) {
    self.function = function
    unsafe self.user = user
  }
}
