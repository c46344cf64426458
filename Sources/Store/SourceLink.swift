internal import Glibc

/// Finds the file that a link in a shared folder leads to, and refuses every link that leads out.
///
/// A link is taken if it ends at a regular file beneath the shared folder or, where that is a snapshot of a Hugging Face cache,
/// beneath the cache's `blobs`; and if every further link on the way lies beneath them too. The answer is a path without links.
/// It is opened as such, so a link that is changed meanwhile leads nowhere else.
struct SourceLink {
  /// As many as the kernel follows.
  private static let linksFollowed = 40

  private let root: String
  private let blobs: String?

  /// Links of a shared folder, an absolute path without links.
  init(root: String) {
    self.root = root
    blobs = SourceRoots.blobs(of: root)
  }

  /// The source of the file that the link at `source` leads to.
  func resolve(_ source: String) throws(StoreError) -> String {
    let start = SourceRoots.path(of: source, root: root)
    var done: [String] = []
    var pending = Self.names(in: start)
    var links = 0
    while let name = pending.popLast() {
      if name == "." { continue }
      if name == ".." {
        _ = done.popLast()
        continue
      }
      let path = "/" + (done + [name]).joined(separator: "/")
      var status = stat()
      guard lstat(path, &status) == 0 else {
        throw refused(start, errno == ENOENT ? "a symbolic link to “\(path)”, which does not exist" : systemMessage(errno))
      }
      guard status.isLink else {
        guard status.isFolder || pending.isEmpty else {
          throw refused(start, "a symbolic link that goes through a file")
        }
        done.append(name)
        if pending.isEmpty { return try accept(path, status, start) }
        continue
      }
      links += 1
      guard links <= Self.linksFollowed else { throw refused(start, "a symbolic link that goes in a circle") }
      guard isWithin(path) else { throw refused(start, "a symbolic link that leads on through “\(path)”, outside the folder") }
      guard let target = Self.target(of: path) else { throw refused(start, "a symbolic link that cannot be read") }
      if target.hasPrefix("/") { done = [] }
      pending += Self.names(in: target)
    }
    throw refused(start, "a symbolic link to a folder")
  }

  private func accept(_ path: String, _ status: stat, _ start: String) throws(StoreError) -> String {
    guard let source = SourceRoots.source(of: path, root: root, blobs: blobs) else {
      throw refused(start, "a symbolic link to “\(path)”, which is outside the folder")
    }
    guard !status.isFolder else { throw refused(start, "a symbolic link to a folder") }
    guard status.isRegular else { throw refused(start, "a symbolic link to a pipe, socket or device") }
    return source
  }

  private func isWithin(_ path: String) -> Bool {
    SourceRoots.source(of: path, root: root, blobs: blobs) != nil
  }

  private func refused(_ path: String, _ why: String) -> StoreError { StoreError(.linkLeadsOut, path, detail: why) }

  /// The names of a path, the first one last.
  private static func names(in path: String) -> [String] {
    path.utf8.split(separator: UInt8(ascii: "/")).reversed().map { String(Substring($0)) }
  }

  private static func target(of path: String) -> String? {
    var buffer = [CChar](repeating: 0, count: Int(PATH_MAX))
    let count = readlink(path, &buffer, buffer.count)
    guard count > 0, count < buffer.count else { return nil }
    return String(validating: buffer[..<count].map(UInt8.init(bitPattern:)), as: UTF8.self)
  }
}
