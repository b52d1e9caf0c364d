// swift-tools-version: 6.2
import PackageDescription

let strict: [SwiftSetting] = [
  .strictMemorySafety(),
  .treatAllWarnings(as: .error),
  .enableUpcomingFeature("InternalImportsByDefault"),
  .enableUpcomingFeature("MemberImportVisibility"),
  .enableUpcomingFeature("ExistentialAny"),
]
let tested: [SwiftSetting] = [
  .treatAllWarnings(as: .error),
  .enableUpcomingFeature("ExistentialAny"),
]

// Loop state belongs to one thread and no callback re-enters a value that is being changed; debug builds,
// and with them all tests, go on checking that at run time, which costs a quarter of a request.
let fast: [SwiftSetting] = [
  .unsafeFlags(["-enforce-exclusivity=unchecked"], .when(configuration: .release))
]

// The compile flag stands only on targets that no test links: it makes the linker look for static
// libraries that a test bundle does not have.
let ownRuntime: [SwiftSetting] = [.unsafeFlags(["-static-stdlib"])]
let oneBinary: [LinkerSetting] = [.unsafeFlags(["-static-stdlib"])]

// A sealed plugin: its own Swift runtime, nothing unresolved, one symbol exported. Only such a
// library can be unmapped again while the process goes on.
let sealed: [LinkerSetting] = [
  .unsafeFlags([
    "-static-stdlib",
    "-Xlinker", "-z", "-Xlinker", "defs",
    "-Xlinker", "--version-script=PluginSDK/plugin.map",
  ])
]

let package = Package(
  name: "gateway",
  products: [
    .executable(name: "gateway", targets: ["Main"]),
    .library(name: "GatewayPlugin", targets: ["GatewayPlugin"]),
    .library(name: "utilities", type: .dynamic, targets: ["UtilitiesEntry"]),
    .library(name: "agent_forge", type: .dynamic, targets: ["AgentForgeEntry"]),
    .library(name: "tokens", type: .dynamic, targets: ["TokensEntry"]),
    .library(name: "p2p_fog", type: .dynamic, targets: ["P2PFogEntry"]),
    .library(name: "hello_swift", type: .dynamic, targets: ["HelloSwiftEntry"]),
  ],
  targets: [
    // System C libraries, one header and one module map each.
    .systemLibrary(name: "CLinux", path: "Host/CLinux"),
    .systemLibrary(name: "COpenSSL", path: "Host/COpenSSL", pkgConfig: "openssl"),
    .systemLibrary(name: "CZlib", path: "Host/CZlib", pkgConfig: "zlib"),
    .systemLibrary(name: "CSQLite", path: "Host/CSQLite", pkgConfig: "sqlite3"),
    .systemLibrary(name: "CGatewayPlugin", path: "PluginSDK/C"),

    // Bytes to values and back. Imports nothing; host and SDK share it.
    .target(name: "Wire", path: "Host/Wire", swiftSettings: strict + fast),

    // The host below its command line, one module so that the optimiser sees it whole.
    .target(
      name: "Gateway",
      dependencies: ["Wire", "CLinux", "COpenSSL", "CZlib", "CSQLite", "CGatewayPlugin"],
      path: "Host",
      exclude: ["Main", "Wire", "CLinux", "COpenSSL", "CZlib", "CSQLite"],
      sources: [
        "Loop", "Net", "Serve", "Policy", "PluginHost", "Observe", "Settings", "Scaffold",
        "Supervise", "Validate",
      ],
      swiftSettings: strict + fast
    ),
    .executableTarget(
      name: "Main",
      dependencies: ["Gateway", "Wire"],
      path: "Host/Main",
      swiftSettings: strict + ownRuntime,
      linkerSettings: oneBinary
    ),

    // What a Swift plugin is written with.
    .target(
      name: "GatewayPlugin",
      dependencies: ["Wire", "CGatewayPlugin"],
      path: "PluginSDK/Swift",
      swiftSettings: strict
    ),

    // The template that `gateway plugin new --lang swift` copies, built and tested here as it is.
    .target(
      name: "HelloSwift",
      dependencies: ["GatewayPlugin"],
      path: "PluginSDK/Templates/swift/Sources/HelloSwift",
      swiftSettings: strict
    ),
    .target(
      name: "HelloSwiftEntry",
      dependencies: ["HelloSwift", "GatewayPlugin", "CGatewayPlugin"],
      path: "PluginSDK/Templates/swift/Sources/HelloSwiftEntry",
      swiftSettings: strict + ownRuntime,
      linkerSettings: sealed
    ),

    // What several plugins share: SQLite, files, digests, archives.
    .target(
      name: "PluginStorage",
      dependencies: ["CSQLite", "COpenSSL"],
      path: "Plugins/Storage",
      exclude: ["Answers"],
      swiftSettings: strict
    ),
    // What clients are told when storage fails; apart from it, for Peering knows no clients.
    .target(
      name: "StorageAnswers",
      dependencies: ["GatewayPlugin", "PluginStorage"],
      path: "Plugins/Storage/Answers",
      swiftSettings: strict
    ),

    // Each plugin is two targets: the service, which tests link, and its sealed entry.
    .systemLibrary(name: "CChild", path: "Plugins/Utilities/CChild"),
    .target(
      name: "Utilities",
      dependencies: ["GatewayPlugin", "PluginStorage", "StorageAnswers", "CChild"],
      path: "Plugins/Utilities",
      exclude: ["Entry", "CChild", "README.md"],
      swiftSettings: strict
    ),
    .target(
      name: "UtilitiesEntry",
      dependencies: ["Utilities", "GatewayPlugin", "CGatewayPlugin"],
      path: "Plugins/Utilities/Entry",
      swiftSettings: strict + ownRuntime,
      linkerSettings: sealed
    ),

    // Loops over numbers, in C for the processor's vector units; optimised also in debug builds, or no test of a
    // model would end.
    .target(
      name: "CForge",
      path: "Plugins/AgentForge/CForge",
      cSettings: [.unsafeFlags(["-O3", "-std=c11", "-Wall", "-Wextra", "-Werror"])]
    ),
    .target(
      name: "AgentForge",
      dependencies: ["GatewayPlugin", "PluginStorage", "StorageAnswers", "CForge"],
      path: "Plugins/AgentForge",
      exclude: ["Entry", "CForge", "README.md"],
      swiftSettings: strict + fast
    ),
    .target(
      name: "AgentForgeEntry",
      dependencies: ["AgentForge", "GatewayPlugin", "CGatewayPlugin"],
      path: "Plugins/AgentForge/Entry",
      swiftSettings: strict + ownRuntime,
      linkerSettings: sealed
    ),

    .target(
      name: "Tokens",
      dependencies: ["GatewayPlugin", "PluginStorage", "StorageAnswers"],
      path: "Plugins/Tokens",
      exclude: ["Entry", "README.md"],
      swiftSettings: strict
    ),
    .target(
      name: "TokensEntry",
      dependencies: ["Tokens", "GatewayPlugin", "CGatewayPlugin"],
      path: "Plugins/Tokens/Entry",
      swiftSettings: strict + ownRuntime,
      linkerSettings: sealed
    ),

    // What a peer is, without a host: protocol logic that a simulator drives as well, and the loop over its sockets.
    .target(
      name: "Peering",
      dependencies: ["Wire", "PluginStorage", "COpenSSL"],
      path: "Plugins/P2PFog/Peering",
      swiftSettings: strict
    ),
    .systemLibrary(name: "CSandbox", path: "Plugins/P2PFog/CSandbox"),
    .target(
      name: "P2PFog",
      dependencies: [
        "GatewayPlugin", "PluginStorage", "StorageAnswers", "Peering", "CSandbox", "CZlib",
      ],
      path: "Plugins/P2PFog",
      exclude: ["Entry", "Peering", "CSandbox", "README.md"],
      swiftSettings: strict
    ),
    .target(
      name: "P2PFogEntry",
      dependencies: ["P2PFog", "GatewayPlugin", "CGatewayPlugin"],
      path: "Plugins/P2PFog/Entry",
      swiftSettings: strict + ownRuntime,
      linkerSettings: sealed
    ),

    .testTarget(
      name: "WireTests",
      dependencies: ["Wire"],
      path: "Tests/WireTests",
      swiftSettings: tested
    ),
    .testTarget(
      name: "GatewayTests",
      dependencies: ["Gateway", "Wire", "CGatewayPlugin", "CLinux", "CZlib"],
      path: "Tests/GatewayTests",
      swiftSettings: tested
    ),
    .testTarget(
      name: "PluginSDKTests",
      dependencies: ["GatewayPlugin", "HelloSwift", "Wire", "CGatewayPlugin"],
      path: "Tests/PluginSDKTests",
      swiftSettings: tested
    ),
    .testTarget(
      name: "HelloSwiftTests",
      dependencies: ["HelloSwift"],
      path: "PluginSDK/Templates/swift/Tests/HelloSwiftTests",
      swiftSettings: tested
    ),
    // What tests of several targets build their input with.
    .target(
      name: "TestSupport",
      dependencies: ["PluginStorage"],
      path: "Tests/Support",
      swiftSettings: tested
    ),
    .testTarget(
      name: "PluginStorageTests",
      dependencies: ["PluginStorage", "StorageAnswers", "GatewayPlugin", "TestSupport"],
      path: "Tests/PluginStorageTests",
      swiftSettings: tested
    ),
    .testTarget(
      name: "UtilitiesTests",
      dependencies: ["Utilities", "PluginStorage", "GatewayPlugin", "Wire"],
      path: "Tests/UtilitiesTests",
      exclude: ["Documents"],
      swiftSettings: tested
    ),
    .testTarget(
      name: "AgentForgeTests",
      dependencies: [
        "AgentForge", "PluginStorage", "CForge", "GatewayPlugin", "Wire", "TestSupport",
      ],
      path: "Tests/AgentForgeTests",
      exclude: ["Reference"],
      swiftSettings: tested
    ),
    .testTarget(
      name: "TokensTests",
      dependencies: ["Tokens", "PluginStorage", "GatewayPlugin", "Wire", "TestSupport"],
      path: "Tests/TokensTests",
      swiftSettings: tested
    ),
    .testTarget(
      name: "PeeringTests",
      dependencies: ["Peering", "PluginStorage", "Wire", "TestSupport"],
      path: "Tests/PeeringTests",
      exclude: ["Reference"],
      swiftSettings: tested
    ),
    .testTarget(
      name: "P2PFogTests",
      dependencies: [
        "P2PFog", "AgentForge", "CZlib", "Peering", "PluginStorage", "GatewayPlugin", "Wire",
        "TestSupport",
      ],
      path: "Tests/P2PFogTests",
      swiftSettings: tested
    ),
  ],
  swiftLanguageModes: [.v6]
)
