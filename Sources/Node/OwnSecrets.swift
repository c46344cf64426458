internal import Foundation
internal import Store

/// The files that make this node this node: whoever has them is it, and reads what was sent to it.
struct OwnSecrets {
  private struct Place: Hashable {
    let device: UInt64
    let inode: UInt64
  }

  private let places: Set<Place>

  /// What lies there now. Known by device and inode: no other path to a file, link or mount hides it.
  init(_ locations: Locations) {
    let database = locations.databaseFile
    let paths = [locations.identityFile, locations.keyFile, database, database + "-wal", database + "-shm"]
    places = Set(
      paths.compactMap { path in
        guard let attributes = try? FileManager.default.attributesOfItem(atPath: path),
          let device = (attributes[.systemNumber] as? NSNumber)?.uint64Value,
          let inode = (attributes[.systemFileNumber] as? NSNumber)?.uint64Value
        else { return nil }
        return Place(device: device, inode: inode)
      })
  }

  /// Throws if one of them is among the files.
  func refuse(in tree: ScannedTree) throws {
    guard let own = tree.files.first(where: { places.contains(Place(device: $0.identity.device, inode: $0.identity.inode)) })
    else { return }
    throw NodeError(
      .usage, "\(SourceFolder.path(of: own.source, root: tree.root)) holds this node's own keys and is never shared",
      hint: "share the folder that holds the weights, not the one that holds Pawl's state")
  }
}
