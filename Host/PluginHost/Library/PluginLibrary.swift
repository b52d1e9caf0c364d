package import CGatewayPlugin
import Glibc
import Synchronization

/// One opened library and the plugin it describes.
// Sendable although it holds pointers: they are constant and point at static data of the mapped image, and `close` is
// called once, after the last use.
@safe
package final class PluginLibrary: PluginCode, @unchecked Sendable {
  package enum Refusal: Error, Equatable {
    case unreadable(SystemError)
    case notALibrary(ELFImage.Refusal)
    case noEntry
    case cannotOpen(String)
    case refusedHost
    case wrongMajor(found: UInt32, supported: UInt32)
    case wrongSize(found: UInt32, expected: UInt32)
    case badID(String)
    case badVersion(String)
    case missingFunction(String)
  }

  /// What became of the code after `close`.
  package enum Closing: Sendable, Equatable {
    case unloaded
    case retired(reason: String)
  }

  package let id: String
  package let version: String
  package let summary: String
  package let image: ELFImage
  package let copy: GenerationStage.Copy
  package let descriptor: UnsafePointer<gw_plugin_v1>
  package var digest: String { copy.digest }
  private let handle: UnsafeMutableRawPointer
  private let stage: GenerationStage?
  private let foreignThreads = Mutex<String?>(nil)

  /// Opens a private copy of a library and checks its contract before calling anything else in it.
  ///
  /// - Parameters:
  ///   - source: Path of the library.
  ///   - label: For the copy's name.
  ///   - stage: Where the copy goes.
  /// - Throws: `Refusal`; of the plugin nothing has run but its constructors and `gw_plugin_entry`.
  package convenience init(
    source: String,
    label: String,
    stage: GenerationStage
  ) throws(Refusal) {
    let copy: GenerationStage.Copy
    do { copy = try stage.copy(source, label: label) } catch { throw .unreadable(error) }
    do throws(Refusal) {
      try self.init(copy: copy, stage: stage)
    } catch {
      stage.remove(copy)
      throw error
    }
  }

  /// Opens a copy that was made already.
  ///
  /// - Parameters:
  ///   - copy: Stays when it is refused.
  ///   - stage: Has it removed at the end; `nil` leaves that to whoever made it.
  /// - Throws: `Refusal`; of the plugin nothing has run but its constructors and `gw_plugin_entry`.
  package init(copy: GenerationStage.Copy, stage: GenerationStage?) throws(Refusal) {
    var opened: UnsafeMutableRawPointer?
    var ties: [String] = []
    do throws(Refusal) {
      let image = try Self.inspect(copy.path)
      ties = image.ties
      guard image.hasEntry else { throw .noEntry }
      unsafe opened = dlopen(copy.path, RTLD_NOW | RTLD_LOCAL)
      guard let handle = unsafe opened else {
        throw .cannotOpen(unsafe String(cString: dlerror()))
      }
      let descriptor = unsafe try Self.entry(of: handle)
      unsafe try Self.checkFunctions(descriptor)
      id = unsafe try Self.id(descriptor.pointee.id)
      version = unsafe try Self.version(descriptor.pointee.version)
      unsafe summary = descriptor.pointee.description.text(cutAt: 512)
      self.image = image
      unsafe self.descriptor = descriptor
      unsafe self.handle = handle
    } catch {
      if let opened = unsafe opened, ties.isEmpty { unsafe dlclose(opened) }
      throw error
    }
    self.copy = copy
    self.stage = stage
  }

  /// Remembers that the plugin made threads by itself: its code can then never be unmapped.
  package func noteForeignThreads(_ names: [String]) {
    guard !names.isEmpty else { return }
    foreignThreads.withLock {
      $0 = "it has threads of its own (\(names.prefix(4).joined(separator: ", ")))"
    }
  }

  /// Why the code must stay mapped; `nil` when it can be unmapped.
  package var tie: String? { image.ties.first ?? foreignThreads.withLock { $0 } }

  /// Unmaps the code if nothing keeps it.
  ///
  /// - Parameter obstacle: A further reason to keep it.
  /// - Returns: What was done and why.
  package func close(obstacle: String? = nil) -> Closing {
    stage?.remove(copy)
    if let reason = obstacle ?? tie { return .retired(reason: reason) }
    unsafe dlclose(handle)
    // The linker has its own reasons to keep an image (thread-local destructors, references of other images).
    guard let kept = unsafe dlopen(copy.path, RTLD_LAZY | RTLD_NOLOAD) else { return .unloaded }
    unsafe dlclose(kept)
    return .retired(reason: "the dynamic linker keeps it")
  }

  private static func inspect(_ path: String) throws(Refusal) -> ELFImage {
    let raw = unsafe open(path, O_RDONLY | O_CLOEXEC)
    guard raw >= 0 else { throw .unreadable(SystemError(call: "open", code: errno)) }
    let file = Descriptor(adopting: raw)
    let size = Int(lseek(file.raw, 0, SEEK_END))
    guard size > 0 else { throw .notALibrary(.notELF) }
    // The copy is the gateway's own: nobody shortens it while it is mapped.
    guard let start = unsafe mmap(nil, size, PROT_READ, MAP_PRIVATE, file.raw, 0),
      unsafe start != MAP_FAILED
    else { throw .unreadable(SystemError(call: "mmap", code: errno)) }
    defer { unsafe munmap(start, size) }
    let bytes = unsafe UnsafeRawBufferPointer(start: start, count: size)
    do {
      return unsafe try ELFImage(bytes.assumingMemoryBound(to: UInt8.self).span)
    } catch {
      throw .notALibrary(error)
    }
  }

  private typealias Entry = @convention(c) (UInt32, UInt32) -> UnsafePointer<gw_plugin_v1>?

  private static func entry(
    of handle: UnsafeMutableRawPointer
  ) throws(Refusal) -> UnsafePointer<gw_plugin_v1> {
    guard let symbol = unsafe dlsym(handle, "gw_plugin_entry") else { throw .noEntry }
    let entry = unsafe unsafeBitCast(symbol, to: Entry.self)
    guard let descriptor = unsafe entry(GW_ABI_MAJOR, GW_ABI_MINOR) else { throw .refusedHost }
    // Size and major lead the struct in every version, so they may be read before the check.
    let major = unsafe descriptor.pointee.abi_major
    guard major == GW_ABI_MAJOR else { throw .wrongMajor(found: major, supported: GW_ABI_MAJOR) }
    let size = unsafe descriptor.pointee.struct_size
    let expected = UInt32(unsafe MemoryLayout<gw_plugin_v1>.size)
    guard size == expected else { throw .wrongSize(found: size, expected: expected) }
    return unsafe descriptor
  }

  // Swift believes the header that these are never NULL, so the words in memory are looked at instead.
  private static func checkFunctions(
    _ descriptor: UnsafePointer<gw_plugin_v1>
  ) throws(Refusal) {
    let first = unsafe MemoryLayout<gw_plugin_v1>.offset(of: \gw_plugin_v1.create) ?? 0
    for (index, name) in ["create", "interface", "activate", "quiesce", "destroy"].enumerated() {
      let word = unsafe UnsafeRawPointer(descriptor).load(
        fromByteOffset: first + index * MemoryLayout<UInt>.size,
        as: UInt.self
      )
      guard word != 0 else { throw .missingFunction(name) }
    }
  }

  private static func id(_ bytes: gw_bytes) throws(Refusal) -> String {
    guard let id = unsafe bytes.text, Names.isPluginID(id) else {
      throw .badID(unsafe bytes.text(cutAt: 64))
    }
    return id
  }

  private static func version(_ bytes: gw_bytes) throws(Refusal) -> String {
    guard let version = unsafe bytes.text, Names.isVersion(version) else {
      throw .badVersion(unsafe bytes.text(cutAt: 64))
    }
    return version
  }
}

extension PluginLibrary.Refusal: CustomStringConvertible {
  package var description: String {
    switch self {
    case .unreadable(let error):
      "the library cannot be read: \(error); it must be a regular file that the gateway's user may read"
    case .notALibrary(let refusal): "the library \(refusal)"
    case .noEntry:
      "the library has no gw_plugin_entry; export that function (visibility \"default\", C linkage)"
    case .cannotOpen(let reason): "the library cannot be opened: \(reason)"
    case .refusedHost:
      "the plugin does not serve hosts of contract \(GW_ABI_MAJOR).\(GW_ABI_MINOR); install a build for this gateway"
    case .wrongMajor(let found, let supported):
      "the plugin was built for contract version \(found), this gateway has version \(supported); rebuild the plugin"
    case .wrongSize(let found, let expected):
      "gw_plugin_v1.struct_size is \(found), must be \(expected); rebuild with the unchanged gateway_plugin.h"
    case .badID(let id): "the plugin's id \"\(id)\" does not match [a-z][a-z0-9_]{0,31}"
    case .badVersion(let version):
      "the plugin's version \"\(version)\" is not a semantic version such as 1.0.0"
    case .missingFunction(let name): "gw_plugin_v1.\(name) is NULL; every function must be there"
    }
  }
}
