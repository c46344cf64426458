internal import Glibc

/// The two folders that a published file may be read beneath: the shared one, and the `blobs` of the Hugging Face cache that
/// it is a snapshot of.
///
/// A cache keeps its files as `models--ORG--NAME/blobs/HASH` and a snapshot, `models--ORG--NAME/snapshots/REV`, as links to
/// them. A file there is recorded as `../../blobs/HASH`, which no name in a folder can begin with. It is opened beneath the
/// folder of blobs, never by way of the shared folder, and no link is followed on the way.
enum SourceRoots {
  private static let blobsFolder = "../../blobs"
  private static let caches = ["models--", "datasets--", "spaces--"]

  /// The folder of blobs that belongs to a snapshot; nil if `root`, an absolute path without links, is none.
  static func blobs(of root: String) -> String? {
    let (snapshots, _) = Beneath.split(root)
    let (cache, folder) = Beneath.split(snapshots)
    guard folder == "snapshots", caches.contains(where: Beneath.split(cache).name.hasPrefix) else { return nil }
    let blobs = "\(cache)/blobs"
    var status = stat()
    return lstat(blobs, &status) == 0 && status.isFolder ? blobs : nil
  }

  /// How a file is recorded that lies at an absolute path without links, `blobs` being what ``blobs(of:)`` says of the root;
  /// nil if it is beneath neither folder.
  static func source(of path: String, root: String, blobs: String?) -> String? {
    if let source = relative(path, to: root) { return source }
    return blobs.flatMap { relative(path, to: $0) }.map { "\(blobsFolder)/\($0)" }
  }

  /// Whether a recorded source lies in the cache's folder of blobs.
  static func isBlob(_ source: String) -> Bool { relative(source, to: blobsFolder) != nil }

  /// The absolute path of a recorded source.
  static func path(of source: String, root: String) -> String {
    let (base, rest) = place(of: source, root: root)
    return PlacementPlan.join(base, rest)
  }

  /// Opens the folder that a source is read beneath; nil with `errno` set if that fails.
  static func openBase(of source: String, root: String) -> Descriptor? {
    // The shared folder's path is the user's own; that of the blobs was derived, so its end must still be what it was.
    Descriptor.open(place(of: source, root: root).base, O_RDONLY | O_DIRECTORY | (isBlob(source) ? O_NOFOLLOW : 0))
  }

  /// Opens a source beneath the folder that ``openBase(of:root:)`` gave; nil with `errno` set if that fails.
  static func open(_ source: String, beneath base: Descriptor, _ flags: CInt) -> Descriptor? {
    Beneath.open(base, relative(source, to: blobsFolder) ?? source, flags)
  }

  /// Opens a source; nil with `errno` set if that fails.
  static func open(_ source: String, root: String, _ flags: CInt) -> Descriptor? {
    openBase(of: source, root: root).flatMap { open(source, beneath: $0, flags) }
  }

  private static func place(of source: String, root: String) -> (base: String, rest: String) {
    guard let blob = relative(source, to: blobsFolder) else { return (root, source) }
    return ("\(Beneath.split(Beneath.split(root).folder).folder)/blobs", blob)
  }

  /// By bytes: two names that Swift takes for equal texts are two names on the disk.
  private static func relative(_ path: String, to folder: String) -> String? {
    let start = folder == "/" ? "/" : folder + "/"
    guard path.utf8.starts(with: start.utf8), path.utf8.count > start.utf8.count else { return nil }
    return String(Substring(path.utf8.dropFirst(start.utf8.count)))
  }
}
