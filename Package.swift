// swift-tools-version: 6.2
import Foundation
import PackageDescription

/// One list for every target of ours: Swift 6 mode and nothing a compiler can object to.
let strict: [SwiftSetting] = [
  .treatAllWarnings(as: .error),
  .enableUpcomingFeature("ExistentialAny"),
  .enableUpcomingFeature("InternalImportsByDefault"),
  .enableUpcomingFeature("MemberImportVisibility"),
  .enableUpcomingFeature("NonisolatedNonsendingByDefault"),
  .enableExperimentalFeature("Lifetimes"),
]
/// The pure rooms take a peer's bytes: no unmarked unsafe construct gets in.
let pure = strict + [.strictMemorySafety()]

let crypto: Target.Dependency = .product(name: "Crypto", package: "swift-crypto")
let logging: Target.Dependency = .product(name: "Logging", package: "swift-log")

/// The rooms, lowest first. What a room may import is what it lists here; `TidyTests` holds the imports against this table.
let rooms: [Target] = [
  .systemLibrary(name: "CSodium", pkgConfig: "libsodium", providers: [.apt(["libsodium-dev"]), .brew(["libsodium"])]),
  .systemLibrary(name: "CUV", pkgConfig: "libuv", providers: [.apt(["libuv1-dev"]), .brew(["libuv"])]),
  .target(name: "CSys"),
  .target(name: "Wire", swiftSettings: pure),
  .target(name: "Primitives", dependencies: ["CSodium", crypto], swiftSettings: pure),
  .target(name: "Noise", dependencies: ["Wire", "Primitives"], swiftSettings: pure),
  .target(name: "Session", dependencies: ["Wire", "Primitives"], swiftSettings: pure),
  .target(name: "Artifact", dependencies: ["Wire", "Primitives"], swiftSettings: pure),
  .target(name: "Transfer", dependencies: ["Artifact", "Wire", "Primitives"], swiftSettings: pure),
  .target(name: "EventLoop", dependencies: ["CUV", "CSys"], swiftSettings: strict),
  .target(
    name: "Store",
    dependencies: [
      "EventLoop", "Session", "Artifact", "Wire", "Primitives", "CSys",
      .product(name: "GRDB", package: "GRDB.swift"),
    ], swiftSettings: strict),
  .target(
    name: "Node",
    dependencies: [
      "Store", "EventLoop", "Transfer", "Artifact", "Session", "Noise", "Primitives", "Wire", "CSys", logging,
    ], swiftSettings: strict),
  .target(name: "API", dependencies: ["Wire"], swiftSettings: strict),
  .target(
    name: "Control",
    dependencies: [
      "Node", "API", "Store", "EventLoop", "Artifact", "Session", "Primitives", "Wire", logging,
      .product(name: "Configuration", package: "swift-configuration"),
      .product(name: "ServiceLifecycle", package: "swift-service-lifecycle"),
      .product(name: "UnixSignals", package: "swift-service-lifecycle"),
      .product(name: "SystemPackage", package: "swift-system"),
    ], swiftSettings: strict),
  .executableTarget(
    name: "pawl",
    dependencies: ["API", "Control", .product(name: "ArgumentParser", package: "swift-argument-parser")],
    swiftSettings: strict,
    // Functions are bound at the start: binding one at its first call saves the vector registers, and what a copy of a key
    // left in them, on the stack.
    linkerSettings: [.unsafeFlags(["-Xlinker", "-z", "-Xlinker", "now"], .when(platforms: [.linux]))]),
  .executableTarget(name: "pawl-makelora", dependencies: ["Primitives"], path: "Sources/makelora", swiftSettings: strict),
  .executableTarget(
    name: "pawl-sessionbench", dependencies: ["Store", "Session", "Primitives"], path: "Sources/sessionbench",
    swiftSettings: strict),
]

let subprocess: Target.Dependency = .product(name: "Subprocess", package: "swift-subprocess")

/// A room's tests may import the rooms it imports.
let tests: [Target] = [
  // Looks for keys in the memory of the process that runs a test.
  .target(name: "HeapKeeper", path: "Tests/HeapKeeper"),
  .target(name: "MemoryScan", dependencies: ["HeapKeeper"], path: "Tests/MemoryScan", swiftSettings: strict),
  .testTarget(name: "WireTests", dependencies: ["Wire"], swiftSettings: strict),
  .testTarget(
    name: "PrimitivesTests", dependencies: ["Primitives", "CSodium", crypto, "MemoryScan"], resources: [.copy("Vectors")],
    swiftSettings: strict),
  .testTarget(
    name: "NoiseTests", dependencies: ["Noise", "Primitives", "Wire", "MemoryScan"], resources: [.copy("Vectors")],
    swiftSettings: strict),
  .testTarget(name: "SessionTests", dependencies: ["Session", "Primitives", "Wire", "MemoryScan"], swiftSettings: strict),
  .testTarget(name: "ArtifactTests", dependencies: ["Artifact", "Primitives", "Wire"], swiftSettings: strict),
  .testTarget(
    name: "TransferTests", dependencies: ["Transfer", "Artifact", "Primitives", "Wire"], swiftSettings: strict),
  .testTarget(name: "EventLoopTests", dependencies: ["EventLoop"], swiftSettings: strict),
  .testTarget(
    name: "StoreTests",
    dependencies: [
      "Store", "EventLoop", "Session", "Artifact", "Primitives", "Wire", "CSys",
      .product(name: "GRDB", package: "GRDB.swift"),
    ], swiftSettings: strict),
  .testTarget(
    name: "NodeTests",
    dependencies: [
      "Node", "Store", "EventLoop", "Transfer", "Artifact", "Session", "Noise", "Primitives", "Wire", "MemoryScan",
      "HeapKeeper",
      logging,
    ], swiftSettings: strict),
  .testTarget(name: "APITests", dependencies: ["API", "Wire"], swiftSettings: strict),
  .testTarget(
    name: "ControlTests",
    dependencies: ["Control", "API", "Wire", "EventLoop", "Store", logging], swiftSettings: strict),
  .testTarget(
    name: "pawlTests",
    dependencies: [
      "pawl", "API", "Wire", "EventLoop", "Noise", "Session", "Primitives", "Artifact", subprocess,
    ], swiftSettings: strict),
  .testTarget(
    name: "InteropTests", dependencies: ["Transfer", "Artifact", "Session", "Noise", "Primitives", "Wire"],
    swiftSettings: strict),
  .testTarget(name: "TidyTests", swiftSettings: strict),
]

/// `PAWL_ROOMS="Wire Primitives"` builds and tests those rooms alone: one room's tests without linking all of them.
let chosen = ProcessInfo.processInfo.environment["PAWL_ROOMS"].map { Set($0.split(separator: " ").map(String.init)) }
func isChosen(_ target: Target) -> Bool {
  guard let chosen else { return true }
  let room = target.name.hasSuffix("Tests") ? String(target.name.dropLast(5)) : target.name
  return chosen.contains(room) || (target.type == .system || ["CSys", "HeapKeeper", "MemoryScan"].contains(target.name))
}

let package = Package(
  name: "pawl",
  products: [.executable(name: "pawl", targets: ["pawl"])].filter { _ in chosen?.contains("pawl") ?? true },
  dependencies: [
    .package(url: "https://github.com/apple/swift-crypto", from: "4.5.2"),
    .package(url: "https://github.com/groue/GRDB.swift", from: "7.10.0"),
    .package(url: "https://github.com/apple/swift-argument-parser", from: "1.8.2"),
    .package(url: "https://github.com/apple/swift-configuration", from: "1.4.0", traits: ["YAML", "Reloading"]),
    .package(url: "https://github.com/apple/swift-log", from: "1.16.2"),
    .package(url: "https://github.com/swift-server/swift-service-lifecycle", from: "2.13.0"),
    .package(url: "https://github.com/apple/swift-system", from: "1.8.1"),
    .package(url: "https://github.com/swiftlang/swift-subprocess", from: "1.0.2"),
  ],
  targets: (rooms + tests).filter(isChosen),
  swiftLanguageModes: [.v6]
)
