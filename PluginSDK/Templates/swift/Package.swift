// swift-tools-version: 6.2
import PackageDescription

let strict: [SwiftSetting] = [
  .strictMemorySafety(),
  .enableUpcomingFeature("InternalImportsByDefault"),
  .enableUpcomingFeature("MemberImportVisibility"),
  .enableUpcomingFeature("ExistentialAny"),
]

// Sealed: its own Swift runtime, nothing unresolved, one symbol exported. Only such a library can be
// unmapped again while the gateway goes on. The compile flag stands on the entry alone, as tests
// cannot link a target that has it.
let ownRuntime: [SwiftSetting] = [.unsafeFlags(["-static-stdlib"])]
let sealed: [LinkerSetting] = [
  .unsafeFlags([
    "-static-stdlib",
    "-Xlinker", "-z", "-Xlinker", "defs",
    "-Xlinker", "--version-script=SDK/plugin.map",
  ])
]

let package = Package(
  name: "hello_swift",
  products: [.library(name: "hello_swift", type: .dynamic, targets: ["HelloSwiftEntry"])],
  targets: [
    // The SDK, as the gateway of this machine had it.
    .systemLibrary(name: "CGatewayPlugin", path: "SDK/C"),
    .target(name: "Wire", path: "SDK/Wire", swiftSettings: strict),
    .target(
      name: "GatewayPlugin",
      dependencies: ["Wire", "CGatewayPlugin"],
      path: "SDK/Swift",
      swiftSettings: strict
    ),

    .target(name: "HelloSwift", dependencies: ["GatewayPlugin"], swiftSettings: strict),
    .target(
      name: "HelloSwiftEntry",
      dependencies: ["HelloSwift", "GatewayPlugin", "CGatewayPlugin"],
      swiftSettings: strict + ownRuntime,
      linkerSettings: sealed
    ),
    .testTarget(name: "HelloSwiftTests", dependencies: ["HelloSwift"]),
  ],
  swiftLanguageModes: [.v6]
)
