import Foundation
import Testing

/// Rooms import downwards only. SwiftPM alone does not hold that: a module that some dependency happens to build can be imported too.
@Suite struct ImportTests {
  /// What a room may import of ours and of other packages: `Package.swift`'s dependencies, one by one.
  private static let allowed: [String: Set<String>] = [
    "CSodium": [], "CUV": [], "CSys": [],
    "Wire": [],
    "Primitives": ["CSodium", "Crypto"],
    "Noise": ["Wire", "Primitives"],
    "Session": ["Wire", "Primitives"],
    "Artifact": ["Wire", "Primitives"],
    "Transfer": ["Artifact", "Wire", "Primitives"],
    "EventLoop": ["CUV", "CSys"],
    "Store": ["EventLoop", "Session", "Artifact", "Wire", "Primitives", "CSys", "GRDB"],
    "Node": ["Store", "EventLoop", "Transfer", "Artifact", "Session", "Noise", "Primitives", "Wire", "CSys", "Logging"],
    "API": ["Wire"],
    "Control": [
      "Node", "API", "Store", "EventLoop", "Artifact", "Session", "Primitives", "Wire", "Logging", "Configuration",
      "ServiceLifecycle", "UnixSignals", "SystemPackage",
    ],
    "pawl": ["API", "Control", "ArgumentParser"],
    "makelora": ["Primitives"],
    "sessionbench": ["Store", "Session", "Primitives"],
  ]

  /// Rooms without I/O, clocks or randomness of their own: they get values and return values.
  private static let pureRooms: Set<String> = ["Wire", "Noise", "Session", "Artifact", "Transfer"]
  private static let pureSystemModules: Set<String> = ["FoundationEssentials"]
  private static let systemModules: Set<String> = ["Foundation", "FoundationEssentials", "Glibc", "Synchronization"]

  private static func imports(of file: Tree.File) throws -> [String] {
    let pattern = try Regex(
      #"^\s*(?:@\w+(?:\(\w+\))?\s+)*(?:(?:public|internal|package|private|fileprivate)\s+)?import\s+(?:(?:struct|class|enum|protocol|func|var|let|typealias)\s+)?(\w+)"#,
      as: (Substring, Substring).self)
    return file.code.compactMap { $0.text.firstMatch(of: pattern).map { String($0.output.1) } }
  }

  @Test func everyRoomImportsOnlyTheRoomsBeneathIt() throws {
    let files = try Tree.files("Sources")
    #expect(files.count > 50, "the sources were not found")
    for file in files {
      let rooms = try #require(Self.allowed[file.room], "\(file.path): a room this table does not know")
      let system = Self.pureRooms.contains(file.room) ? Self.pureSystemModules : Self.systemModules
      for module in try Self.imports(of: file) {
        #expect(rooms.contains(module) || system.contains(module), "\(file.path) imports \(module)")
      }
    }
  }

  @Test func noRoomReachesItselfThroughTheRoomsItImports() {
    func reaches(_ room: String, _ target: String, _ depth: Int) -> Bool {
      depth < Self.allowed.count
        && (Self.allowed[room] ?? []).contains { $0 == target || reaches($0, target, depth + 1) }
    }
    for room in Self.allowed.keys {
      #expect(!reaches(room, room, 0), "\(room)")
    }
  }

  @Test func theTableIsThePackageManifest() throws {
    let manifest = try #require(Tree.text("Package.swift"))
    let start = try #require(manifest.range(of: "let rooms: [Target] = ["))
    let end = try #require(manifest[start.upperBound...].range(of: "\n]"))
    // Products are named by their modules; the two that several rooms use have names of their own in the manifest.
    let rooms = manifest[start.upperBound..<end.lowerBound]
      .replacing("logging", with: "\"Logging\"").replacing("crypto", with: "\"Crypto\"")
      .replacing(/,\s*package: "[^"]*"/, with: "")
    var declared: [String: Set<String>] = [:]
    for target in rooms.split(separator: /\n  \.(?:target|executableTarget|systemLibrary)\(/) {
      guard let name = target.firstMatch(of: /^\s*name: "([\w-]+)"/) else { continue }
      let folder = target.firstMatch(of: /path: "Sources\/(\w+)"/)?.output.1 ?? name.output.1
      let dependencies = target.firstMatch(of: /(?s)dependencies: \[(.*?)\]/)?.output.1 ?? ""
      declared[String(folder)] = Set(dependencies.matches(of: /"([\w-]+)"/).map { String($0.output.1) })
    }
    #expect(declared.count == Self.allowed.count)
    for (room, dependencies) in declared {
      #expect(Self.allowed[room] == dependencies, "\(room)")
    }
  }
}
