#if canImport(Glibc)
  import Glibc

  enum ProcessMemory {
    /// Resident pages from /proc/self/statm; 0 where it cannot be read.
    static func residentBytes() -> Int {
      guard let file = fopen("/proc/self/statm", "r") else { return 0 }
      defer { fclose(file) }
      var line = [CChar](repeating: 0, count: 256)
      guard fgets(&line, CInt(line.count), file) != nil else { return 0 }
      let text = String(decoding: line.prefix { $0 != 0 }.map { UInt8(bitPattern: $0) }, as: UTF8.self)
      let fields = text.split(separator: " ")
      return fields.count > 1 ? (Int(fields[1]) ?? 0) * Int(getpagesize()) : 0
    }
  }
#else
  enum ProcessMemory {
    static func residentBytes() -> Int { 0 }
  }
#endif
