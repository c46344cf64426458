import Glibc
import HeapKeeper

/// This process's readable and writable memory: heap, stacks of all threads, data, anonymous pages.
public enum ProcessMemory {
  /// What could not be read, in words.
  public struct Failure: Error, CustomStringConvertible {
    /// What, and why.
    public let description: String
  }

  private static let chunkBytes = 1 << 20
  private static let pageBytes = 4_096

  /// From now on this process gives released memory out to nobody, so that whatever was left in it is still there when it is
  /// looked for. For a process of its own, that ends soon.
  public static func keepWhatIsReleased() { heap_keep_released_memory() }

  /// Whether it can: a sanitizer has an allocator of its own.
  public static var canKeepWhatIsReleased: Bool { heap_can_keep_released_memory() == 1 }

  /// Looks for every key of the ledger everywhere, `allowed` ranges included.
  ///
  /// Memory is read through `/proc/self/mem`, so that a mapping which ends meanwhile is an error and no crash. The buffer
  /// it is read into is the one place that is not looked at, and is wiped.
  public static func search(for ledger: KeyLedger, allowed: [Range<UInt>]) throws -> [KeyFinding] {
    let index = KeyIndex(ledger.entries)
    // One chunk, and what a piece that begins at its end needs of the next.
    let size = chunkBytes + pageBytes
    guard let buffer = mmap(nil, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0), buffer != MAP_FAILED else {
      throw Failure(description: "no memory to read into")
    }
    defer { munmap(buffer, size) }
    let own = UInt(bitPattern: buffer)..<UInt(bitPattern: buffer) + UInt(size)
    let memory = open("/proc/self/mem", O_RDONLY)
    guard memory >= 0 else { throw Failure(description: "/proc/self/mem: \(errno)") }
    defer { close(memory) }
    var findings: [KeyFinding] = []
    for mapping in try mappings().flatMap({ $0.without(own) }) {
      var address = mapping.range.lowerBound
      while address < mapping.range.upperBound {
        let wanted = min(Int(mapping.range.upperBound - address), chunkBytes + 15)
        let count = pread(memory, buffer, wanted, off_t(address))
        // Pages of devices and of the kernel, and mappings that are gone.
        guard count > 15 else { break }
        search(index, buffer, count, at: address) { address, kind, guise in
          findings.append(
            KeyFinding(
              kind: kind, guise: guise, address: address, mapping: mapping.name,
              isAllowed: allowed.contains { $0.contains(address) }))
        }
        address += UInt(min(count, chunkBytes))
      }
    }
    memset(buffer, 0, size)
    return findings
  }

  private static func search(
    _ index: borrowing KeyIndex, _ buffer: UnsafeMutableRawPointer, _ count: Int, at address: UInt,
    _ found: (UInt, String, String) -> Void
  ) {
    // Most pages were never written.
    for start in stride(from: 0, to: min(count, chunkBytes), by: pageBytes) {
      let end = min(start + pageBytes, count)
      let page = buffer + start
      if page.load(as: UInt8.self) == 0, memcmp(page, page + 1, end - start - 1) == 0 { continue }
      index.search(UnsafeRawPointer(buffer), start..<end, end: count) { offset, kind, guise in
        found(address + UInt(offset), kind, guise)
      }
    }
  }

  private struct Mapping {
    let range: Range<UInt>
    let name: String

    /// The kernel may have joined the buffer to its neighbours.
    func without(_ own: Range<UInt>) -> [Mapping] {
      guard range.overlaps(own) else { return [self] }
      let rest = [
        range.lowerBound..<max(own.lowerBound, range.lowerBound), min(own.upperBound, range.upperBound)..<range.upperBound,
      ]
      return rest.filter { !$0.isEmpty }.map { Mapping(range: $0, name: name) }
    }
  }

  private static func mappings() throws -> [Mapping] {
    guard let file = fopen("/proc/self/maps", "r") else { throw Failure(description: "/proc/self/maps: \(errno)") }
    defer { fclose(file) }
    var mappings: [Mapping] = []
    var line = [CChar](repeating: 0, count: 4_096)
    while fgets(&line, Int32(line.count), file) != nil {
      let text = line.prefix { $0 != 0 && $0 != 10 }.map { UInt8(bitPattern: $0) }
      let fields = String(decoding: text, as: UTF8.self).split(separator: " ", omittingEmptySubsequences: true)
      let ends = fields[0].split(separator: "-").compactMap { UInt($0, radix: 16) }
      guard fields.count >= 5, ends.count == 2, fields[1].hasPrefix("rw") else { continue }
      mappings.append(Mapping(range: ends[0]..<ends[1], name: fields.count > 5 ? String(fields[5]) : ""))
    }
    guard !mappings.isEmpty else { throw Failure(description: "/proc/self/maps is empty") }
    return mappings
  }
}
