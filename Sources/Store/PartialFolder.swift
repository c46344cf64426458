internal import Artifact
internal import CSys
public import EventLoop
internal import Glibc
public import Primitives

/// The safe writer: a private folder beside the destination, on its file system, where files grow until they are whole.
///
/// Nothing has its final name before ``place()``. Every path is opened below a descriptor without following links. Safe to use from
/// several threads; every call blocks, so not on the loop. What was written survives a killed process; another boot may have
/// lost it (``rehash(file:isLeaf:)``).
public final class PartialFolder: Sendable {
  /// The partial folder's name begins so; no file of an artifact may (`SafePath.reservedPrefix`).
  static let prefix = ".pawl-partial-"
  /// From this size on room is reserved before the first write; for small files the call would cost more than it saves.
  static let reserveFromBytes: UInt64 = 1 << 20

  let plan: PlacementPlan
  let destination: Destination
  let folder: Descriptor
  private let pool = DescriptorPool()
  /// Large files, and whether they can be written past the page cache.
  private let direct = Locked<[Int: DirectFile?]>([:])
  private let finished: Locked<Set<Int>>
  /// See ``foldersLeftAlone``.
  let blockedFolders = Locked<[String]>([])

  /// The manifest's numbers of files that an earlier run moved to their final names before it was cut short.
  public let placed: Set<Int>

  /// The artifact's empty folders that were not made because something else has their names; known after ``place()``.
  public var foldersLeftAlone: [String] { blockedFolders.withLock { $0 } }

  /// Its absolute path.
  public var path: String { plan.partial }

  init(_ plan: PlacementPlan, _ destination: Destination, _ folder: Descriptor, placed: Set<Int> = []) {
    self.placed = placed
    finished = Locked(placed)
    self.plan = plan
    self.destination = destination
    self.folder = folder
  }

  /// Checks the room and makes the folder. Throws `noSpace` before a byte moves, `noPermission`, `notAFolder`, `insecure`.
  public static func create(_ plan: PlacementPlan) throws(StoreError) -> PartialFolder {
    let place = try Destination(plan.destination)
    try Room.check(place.folder, path: plan.destination, files: plan.files.filter(\.isFetched).map(\.sizeBytes))
    if mkdirat(place.folder.raw, plan.partialName, 0o700) != 0, errno != EEXIST { throw .destination(errno, plan.partial) }
    return PartialFolder(plan, place, try open(plan, place))
  }

  /// Opens the folder of an earlier run. `lost` are the manifest's numbers of files that are not there as they were: their
  /// chunks must be fetched again. Files in ``placed`` are whole, under their final names. Throws `doesNotExist` if the folder is
  /// gone, `noSpace` if the rest does not fit.
  public static func reopen(_ plan: PlacementPlan) throws(StoreError) -> (folder: PartialFolder, lost: [Int]) {
    let place = try Destination(plan.destination)
    let folder = try open(plan, place)
    let judge = ConflictJudge(place: place, chunkBytes: plan.chunkBytes, rule: plan.rule)
    var lost: [Int] = []
    var placed: Set<Int> = []
    var missing: [UInt64] = []
    for file in plan.files where file.isFetched {
      try StoreError.throwIfStopped()
      if let status = Beneath.status(folder, plan.staging(file)), status.isRegular, UInt64(status.st_size) == file.sizeBytes {
        let held = UInt64(status.st_blocks) * 512
        missing.append(file.sizeBytes > held ? file.sizeBytes - held : 0)
      } else if try judge.isPlaced(file) {
        placed.insert(file.index)
      } else {
        lost.append(file.index)
        missing.append(file.sizeBytes)
      }
    }
    try Room.check(place.folder, path: plan.destination, files: missing)
    return (PartialFolder(plan, place, folder, placed: placed), lost)
  }

  private static func open(_ plan: PlacementPlan, _ place: Destination) throws(StoreError) -> Descriptor {
    guard let folder = Beneath.open(place.folder, plan.partialName, O_RDONLY | O_DIRECTORY), let status = folder.status() else {
      throw .destination(errno, plan.partial)
    }
    // In a folder that others may write to, somebody could have made it first.
    guard status.st_uid == geteuid() else { throw StoreError(.insecure, plan.partial, detail: "it belongs to another user") }
    if status.st_mode & 0o777 != 0o700, fchmod(folder.raw, 0o700) != 0 { throw .destination(errno, plan.partial) }
    return folder
  }

  /// Writes verified bytes of a file. Throws `noSpace` when the disk or the quota ends.
  public func write(_ bytes: UnsafeRawBufferPointer, file: Int, at offset: UInt64) throws(StoreError) {
    let planned = try self.planned(file)
    let (end, overflow) = offset.addingReportingOverflow(UInt64(bytes.count))
    guard !overflow, end <= planned.sizeBytes else {
      throw StoreError(.io, shown(planned), detail: "a write beyond the file's end was refused")
    }
    guard !placed.contains(file) else { throw StoreError(.io, shown(planned), detail: "it is whole and in its place already") }
    let descriptor = try descriptor(planned, create: true)
    if let direct = directFile(planned, descriptor), direct.write(bytes, at: offset) { return }
    guard bytes.isEmpty || descriptor.write(bytes, at: offset) else { throw .destination(errno, shown(planned)) }
  }

  /// Hashes what is on the disk: for each chunk whether `isLeaf(chunk, leaf hash)` says yes. For use after another boot. It runs on
  /// the pool in slices; canceled, it ends after the one under way.
  public func rehash(
    file: Int, on pool: WorkerPool, isLeaf: @escaping @Sendable (Int, Digest) -> Bool
  ) async throws -> [Bool] {
    let planned = try self.planned(file)
    var verified: [Bool] = []
    repeat {
      let first = verified.count
      verified += try await pool.run { try self.rehash(file: file, from: first, WorkSlice(), isLeaf: isLeaf) }
    } while UInt64(verified.count) * UInt64(plan.chunkBytes) < planned.sizeBytes
    return verified
  }

  /// One slice of it, beginning with the chunk `first`. Blocks.
  func rehash(
    file: Int, from first: Int = 0, _ slice: WorkSlice, isLeaf: (Int, Digest) -> Bool
  ) throws(StoreError) -> [Bool] {
    let planned = try self.planned(file)
    let descriptor = try descriptor(planned, create: false)
    var verified: [Bool] = []
    let reader = ChunkReader(descriptor, sizeBytes: planned.sizeBytes, chunkBytes: plan.chunkBytes)
    var slice = slice
    let isRead = reader.forEachLeaf(from: first) { chunk, leaf in
      verified.append(isLeaf(chunk, leaf))
      return slice.spend(plan.chunkBytes)
    }
    guard isRead else {
      throw .destination(EIO, shown(planned))
    }
    return verified
  }

  /// Files whose writing to the disk is begun before the first of them is waited for: the disk then works on all of them.
  static let filesPerSync = DescriptorPool.capacity / 2

  /// Makes whole files durable: one `fdatasync` each. Empty files are made here. Call it for batches as files complete.
  public func finish(_ files: [Int]) throws(StoreError) {
    let open = files.filter { !placed.contains($0) }
    for start in stride(from: 0, to: open.count, by: Self.filesPerSync) {
      let batch = open[start..<min(start + Self.filesPerSync, open.count)]
      if batch.count > 1 { batch.forEach(startWriteOut) }
      for file in batch {
        try StoreError.throwIfStopped()
        let planned = try self.planned(file)
        let descriptor = try descriptor(planned, create: planned.sizeBytes == 0)
        guard fdatasync(descriptor.raw) == 0 else { throw .destination(errno, shown(planned)) }
        pool.forget(file)
        direct.withLock { $0[file] = nil }
        finished.withLock { _ = $0.insert(file) }
      }
    }
  }

  /// Throws `io` unless ``finish(_:)`` was called for every file that is fetched: nothing half-written gets a final name.
  func requireFinished() throws(StoreError) {
    let finished = finished.withLock { $0 }
    guard let open = plan.files.first(where: { $0.isFetched && !finished.contains($0.index) }) else { return }
    throw StoreError(.io, shown(open), detail: "it is not whole yet")
  }

  /// Starts writing a file's bytes to the disk without waiting, so that ``finish(_:)`` has less to wait for.
  public func startWriteOut(file: Int) {
    guard let planned = try? planned(file), let descriptor = try? descriptor(planned, create: false) else { return }
    _ = sys_sync_file_range(descriptor.raw, 0, 0)
  }

  /// Removes the folder and all in it; what was placed stays. Succeeds if it is gone already.
  public func discard() throws(StoreError) {
    closeFiles()
    try Removal.remove(plan.partialName, in: destination.folder, path: path)
  }

  /// Removes the partial folder of a plan without opening its transfer.
  public static func discard(_ plan: PlacementPlan) throws(StoreError) {
    guard let destination = Descriptor.open(plan.destination, O_RDONLY | O_DIRECTORY) else {
      if errno == ENOENT { return }
      throw .destination(errno, plan.destination)
    }
    try Removal.remove(plan.partialName, in: destination, path: plan.partial)
  }

  /// How many files are kept open.
  var openFiles: Int { pool.count }

  func closeFiles() {
    pool.closeAll()
    direct.withLock { $0 = [:] }
  }

  private func planned(_ file: Int) throws(StoreError) -> PlannedFile {
    guard let planned = plan.file(file), planned.isFetched else {
      throw StoreError(.io, path, detail: "file \(file) is not part of this transfer")
    }
    return planned
  }

  private func directFile(_ file: PlannedFile, _ descriptor: Descriptor) -> DirectFile? {
    guard file.sizeBytes >= DirectFile.fromBytes else { return nil }
    return direct.withLock { files in
      if let known = files[file.index] { return known }
      let opened = DirectFile(descriptor)
      files[file.index] = .some(opened)
      return opened
    }
  }

  private func shown(_ file: PlannedFile) -> String { destination.absolute(file.target) }

  private func descriptor(_ file: PlannedFile, create: Bool) throws(StoreError) -> Descriptor {
    try pool.descriptor(file.index) { () throws(StoreError) in
      let (path, name) = Beneath.split(plan.staging(file))
      guard let parent = Beneath.makeFolders(folder, path),
        let opened = Beneath.open(parent, name, create ? O_RDWR | O_CREAT : O_RDWR, mode: create ? file.mode : 0),
        let status = opened.status()
      else { throw .destination(errno, shown(file)) }
      guard status.isRegular, status.st_nlink == 1 else {
        throw StoreError(.insecure, shown(file), detail: "something else lies in the partial folder")
      }
      if UInt64(status.st_size) != file.sizeBytes {
        guard create else { throw StoreError(.io, shown(file), detail: "its partial file has another size than it must") }
        try Room.reserve(opened, file.sizeBytes, path: shown(file))
      }
      return opened
    }
  }
}
