/// The paths of one artifact, as a tree that refuses what cannot lie in one folder everywhere.
///
/// Refused are: the same path twice; names that differ only in case, normalisation or invisible characters (`Readme` and
/// `README`: a case-insensitive disk would write one over the other, also when they are folders); and a path that needs as a
/// folder what another has as a file.
public struct PathSet: Sendable {
  /// As many folders as files: a manifest of the largest size could otherwise name millions.
  public static let maximumFolders = Manifest.maximumFiles

  private struct Place: Hashable {
    let folder: Int
    let folded: String
  }

  private struct Entry {
    let name: String
    /// Nil for a file.
    let folder: Int?
  }

  private var entries: [Place: Entry] = [:]
  private var folders = 0
  /// The folders that were inserted as empty: nothing may be in them.
  private var empty: Set<Int> = []
  /// The folders of the path before, from the top: sorted paths share most of them, and each is looked up once.
  private var trail: [(name: String, folder: Int)] = []

  /// An empty folder.
  public init() {}

  /// Adds a file. Throws ``ArtifactError/Code/pathCollision`` or ``ArtifactError/Code/limitExceeded``.
  public mutating func insert(_ path: SafePath) throws(ArtifactError) { try insert(path, isEmptyFolder: false) }

  /// Adds a folder that holds nothing. Throws the same, also for a folder that is there already.
  public mutating func insert(emptyFolder path: SafePath) throws(ArtifactError) { try insert(path, isEmptyFolder: true) }

  private mutating func insert(_ path: SafePath, isEmptyFolder: Bool) throws(ArtifactError) {
    let components = path.components
    var shared = 0
    while shared < min(trail.count, components.count - 1), trail[shared].name == components[shared] { shared += 1 }
    trail.removeSubrange(shared...)
    var folder = trail.last?.folder ?? 0
    for (depth, name) in components.enumerated().dropFirst(shared) {
      let isLast = depth == components.count - 1
      let isFile = isLast && !isEmptyFolder
      let place = Place(folder: folder, folded: Normalisation.foldKey(name))
      guard let entry = entries[place] else {
        if !isFile {
          guard folders < Self.maximumFolders else {
            throw ArtifactError(.limitExceeded, "more than \(Self.maximumFolders) folders")
          }
          folders += 1
        }
        entries[place] = Entry(name: name, folder: isFile ? nil : folders)
        if isLast, isEmptyFolder { empty.insert(folders) }
        if !isLast { trail.append((name, folders)) }
        folder = folders
        continue
      }
      guard entry.name.utf8.elementsEqual(name.utf8) else {
        throw collision(path, "“\(name)” and “\(entry.name)” would be one file on some systems")
      }
      if let inner = entry.folder, isEmptyFolder && isLast || empty.contains(inner) {
        throw collision(path, "“\(name)” is listed as an empty folder and is not, or appears twice")
      }
      guard let inner = entry.folder, !isFile else {
        throw collision(path, isFile && entry.folder == nil ? "it appears twice" : "“\(name)” is both a file and a folder")
      }
      trail.append((name, inner))
      folder = inner
    }
  }

  private func collision(_ path: SafePath, _ why: String) -> ArtifactError {
    ArtifactError(.pathCollision, DisplayText.escape("the path “\(ArtifactName.shortened(path.text))” collides: \(why)"))
  }
}
