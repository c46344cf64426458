import Artifact
import Glibc
import Primitives
import Session
import Testing

@testable import Store

/// A folder that goes with its last reference.
final class TemporaryFolder: Sendable {
  let path: String

  init() throws {
    var template = Array("/tmp/pawl-store-XXXXXX".utf8CString)
    guard mkdtemp(&template) != nil else { throw StoreError.state(errno, "/tmp") }
    path = String(decoding: template.dropLast().map { UInt8(bitPattern: $0) }, as: UTF8.self)
  }

  deinit {
    guard let parent = Descriptor.open("/tmp", O_RDONLY | O_DIRECTORY) else { return }
    try? Removal.remove(String(path.dropFirst("/tmp/".count)), in: parent, path: path)
  }

  func callAsFunction(_ name: String) -> String { "\(path)/\(name)" }

  @discardableResult
  func folder(_ name: String) throws -> String {
    try Destination.make(self(name))
    return self(name)
  }

  @discardableResult
  func file(_ name: String, _ bytes: [UInt8] = [1, 2, 3], mode: mode_t = 0o644) throws -> String {
    let whole = self(name)
    try Destination.make(Beneath.split(whole).folder)
    let file = try #require(Descriptor.open(whole, O_WRONLY | O_CREAT | O_TRUNC, mode: mode))
    #expect(bytes.withUnsafeBytes { file.write($0, at: 0) })
    #expect(fchmod(file.raw, mode) == 0)
    return whole
  }

  func link(_ name: String, to target: String) throws {
    try #require(symlink(target, self(name)) == 0)
  }

  func bytes(_ name: String) throws -> [UInt8] { try Self.bytes(at: self(name)) }

  static func bytes(at path: String) throws -> [UInt8] {
    let file = try #require(Descriptor.open(path, O_RDONLY))
    let size = try #require(file.status()).st_size
    var bytes = [UInt8](repeating: 0, count: Int(size))
    #expect(bytes.withUnsafeMutableBytes { file.read(into: $0, at: 0) } == bytes.count)
    return bytes
  }

  func exists(_ name: String) -> Bool {
    var status = stat()
    return lstat(self(name), &status) == 0
  }

  func mode(_ name: String) throws -> mode_t {
    var status = stat()
    try #require(lstat(self(name), &status) == 0)
    return status.st_mode & 0o7777
  }

  func names(_ name: String = "") throws -> [String] {
    let folder = try #require(Descriptor.open(name.isEmpty ? path : self(name), O_RDONLY | O_DIRECTORY))
    return try FolderListing.names(in: folder).sorted()
  }
}

/// Bytes that differ from place to place and from chunk to chunk, so that a misplaced one shows.
func pattern(_ count: Int, seed: UInt8 = 0) -> [UInt8] {
  [UInt8](unsafeUninitializedCapacity: count) { buffer, initialized in
    var index = 0
    while index < count {
      buffer[index] = UInt8(truncatingIfNeeded: index &* 31 &+ index >> 8 &+ index >> 16) &+ seed
      index += 1
    }
    initialized = count
  }
}

/// Bytes like keys: found by accident nowhere else.
func noise(_ count: Int, _ seed: UInt8) -> [UInt8] {
  var bytes: [UInt8] = []
  while bytes.count < count { bytes += SHA256Hash.hash(bytes.suffix(32) + [seed]).bytes }
  return Array(bytes.prefix(count))
}

func code(_ body: () throws -> Void) -> StoreError.Code? {
  do {
    try body()
    return nil
  } catch {
    return (error as? StoreError)?.code
  }
}

func code(_ body: () async throws -> Void) async -> StoreError.Code? {
  do {
    try await body()
    return nil
  } catch {
    return (error as? StoreError)?.code
  }
}

func digest(_ byte: UInt8) -> Digest { SHA256Hash.hash([byte]) }
func node(_ byte: UInt8) -> NodeID { NodeID(SHA256Hash.hash([byte, 0xFF])) }

/// The smallest chunks, so that small files have several.
let chunkBytes = ChunkLayout.minimumChunkBytes

func root(_ bytes: [UInt8]) -> Digest {
  var builder = HashTree.Builder()
  var offset = 0
  while offset < bytes.count {
    let end = min(offset + chunkBytes, bytes.count)
    builder.append(bytes[offset..<end].withUnsafeBytes { HashTree.leaf($0) })
    offset = end
  }
  return builder.root()
}

func wanted(_ files: [(String, [UInt8])]) throws -> [WantedFile] {
  try files.enumerated().map { index, file in
    WantedFile(
      index: index, path: try SafePath(file.0), sizeBytes: UInt64(file.1.count), isExecutable: false, root: root(file.1))
  }
}
