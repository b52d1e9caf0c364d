import Glibc
import Synchronization

/// One live generation of a plugin.
@safe
package final class PluginInstance: Sendable {
  package let id: String
  package let version: String
  package let generation: UInt32
  /// What the plugin passes to every host function, and the `owner` of its answers.
  package let context: UInt64
  private let errors = Mutex<[UInt: String]>([:])

  package init(id: String, version: String, generation: UInt32, context: UInt64) {
    self.id = id
    self.version = version
    self.generation = generation
    self.context = context
  }

  /// The sentence the plugin gave on this thread for the failure it has just returned; forgotten by reading it.
  package func takeError() -> String? {
    errors.withLock { $0.removeValue(forKey: UInt(pthread_self())) }
  }
}
