internal import Glibc

/// Which boot of the machine this is: what was written without a sync before another boot may not be on the disk.
public enum BootID {
  /// The kernel's random id of this boot; empty where there is none, which equals no stored one.
  public static func current() -> String {
    guard let file = Descriptor.open("/proc/sys/kernel/random/boot_id", O_RDONLY) else { return "" }
    var bytes = [UInt8](repeating: 0, count: 64)
    let count = bytes.withUnsafeMutableBytes { Glibc.read(file.raw, $0.baseAddress, $0.count) }
    guard count > 0 else { return "" }
    return String(decoding: bytes[..<count].filter { $0 > 0x20 }, as: UTF8.self)
  }
}
