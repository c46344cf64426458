public import Artifact
internal import Glibc

/// A look at the beginning of a file that was placed: what it is, whatever its publisher says of it. Blocks.
public enum FormatExamination {
  /// What the file at a path is, and whether it is a safetensors file with a header that cannot be read. Nil if it cannot be
  /// looked at.
  ///
  /// - Parameters:
  ///   - path: where it is, absolute.
  ///   - name: its path in the artifact, which may say what it is.
  public static func examine(_ path: String, as name: SafePath) -> (kind: FileKind, isMalformed: Bool)? {
    guard let file = Descriptor.open(path, O_RDONLY | O_NOFOLLOW | O_NONBLOCK), let status = file.status(), status.isRegular
    else { return nil }
    let size = UInt64(status.st_size)
    guard let head = read(file, 0, Int(min(size, UInt64(FileFormat.headBytes)))) else { return nil }
    var probe = FormatProbe(path: name, fileBytes: size)
    probe.append(head.span)
    if probe.missingBytes > 0 {
      guard let rest = read(file, UInt64(head.count), probe.missingBytes) else { return nil }
      probe.append(rest.span)
    }
    let (kind, facts) = probe.finish()
    return (kind, facts?.isMalformed == true)
  }

  private static func read(_ file: Descriptor, _ offset: UInt64, _ count: Int) -> [UInt8]? {
    var bytes = [UInt8](repeating: 0, count: count)
    let isRead = bytes.withUnsafeMutableBytes { file.read(into: $0, at: offset) == count }
    return isRead ? bytes : nil
  }
}
