/// A connected socket, closed when the last holder lets go of it.
package final class Socket {
  private let descriptor: Descriptor

  package init(_ descriptor: consuming Descriptor) { self.descriptor = descriptor }

  package var raw: CInt { descriptor.raw }
}
