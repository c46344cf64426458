/// What went wrong with state, a source or a destination: a code, what it happened to, and one sentence for people.
///
/// Two errors are equal when their codes and paths are: a test or a caller compares kinds, never wording.
public struct StoreError: Error, Sendable {
  /// The kinds a caller tells apart.
  public enum Code: String, Sendable {
    /// Neither `PAWL_HOME` nor `HOME` says where state belongs.
    case noHome
    /// The control socket's path does not fit a socket address.
    case socketPathTooLong
    /// Another process holds the state folder; `holder` says which.
    case locked
    /// A folder or file of ours belongs to another user.
    case notOurs
    /// A folder of ours may be written by others and that could not be mended.
    case insecure
    /// The identity file is damaged. It is left as it is.
    case corruptIdentity
    /// There is an identity already; it is never overwritten.
    case identityExists
    /// The key file is damaged, or was tampered with. It is left as it is.
    case corruptKey
    /// Stored secrets are sealed, and the key file is gone.
    case keyMissing
    /// Stored secrets are sealed under another key than the one in the key file.
    case foreignKey
    /// The state is sealed with a passphrase, and none was given.
    case passphraseNeeded
    /// The passphrase does not open the key file.
    case wrongPassphrase
    /// There is less memory than checking a passphrase takes.
    case noMemory
    /// The state database is damaged.
    case corruptDatabase
    /// There is an identity, and the database that it was used with is missing or empty.
    case stateMissing
    /// The state works, and was to be begun anew.
    case stateWorks
    /// The state was written by a newer program.
    case newerSchema
    /// The database refused a read or a write.
    case database
    /// The file or folder to share is not there.
    case sourceMissing
    /// The file or folder to share may not be read.
    case sourceUnreadable
    /// The machine lacks descriptors or memory for a file just now.
    case busy
    /// A shared file is no longer what was shared.
    case sourceChanged
    /// A shared file was written to or touched: its bytes count only where their hash is still the same.
    case sourceTouched
    /// A file that is being shared changed while it was read.
    case sourceChanging
    /// A symbolic link lies where a shared file or folder should.
    case symlinkInSource
    /// A symbolic link that does not lead to a file of the shared folder, though links are to be followed.
    case linkLeadsOut
    /// A pipe, socket or device lies in the shared folder.
    case specialFile
    /// There is no file to share.
    case emptyArtifact
    /// More files than an artifact may have.
    case tooManyFiles
    /// A name that cannot travel.
    case badName
    /// The destination has no room, or the quota is used up.
    case noSpace
    /// The destination may not be written.
    case noPermission
    /// A file stands where a folder is needed.
    case notAFolder
    /// A folder stands where a file is needed.
    case destinationIsFolder
    /// The path is not there.
    case doesNotExist
    /// A symbolic link lies below the destination; it is not followed.
    case symlinkInDestination
    /// A part of the destination is another file system, so files cannot be moved into it in one step.
    case otherFileSystem
    /// A name or path is longer than the file system takes.
    case nameTooLong
    /// The file is larger than the file system takes.
    case fileTooLarge
    /// Another file got to the final name first.
    case conflict
    /// A stored record does not say what it should.
    case badRecord
    /// A delivered file no longer has the size it was delivered with.
    case deliveredChanged
    /// The work was stopped before its end: its task was canceled, or the node stops.
    case stopped
    /// Any other failure of the file system.
    case io
    /// The alias belongs to another peer.
    case aliasTaken
    /// As many tickets are alive as may be.
    case tooManyTickets
    /// No such peer.
    case unknownPeer
    /// No such transfer.
    case unknownTransfer
    /// This name and version are published already, with other contents.
    case versionTaken
  }

  /// The kind.
  public let code: Code
  /// What it happened to.
  public let path: String?
  /// One sentence for people, without the path.
  public let detail: String
  /// The process that holds the lock, for ``Code/locked``.
  public let holder: Int32?

  /// An error of a kind.
  public init(_ code: Code, _ path: String? = nil, detail: String, holder: Int32? = nil) {
    self.code = code
    self.path = path
    self.detail = detail
    self.holder = holder
  }

  /// What happened, to what: one line.
  public var message: String { path.map { "\($0): \(detail)" } ?? detail }

  /// What to do next, where there is something to do.
  public var hint: String? {
    switch code {
    case .noHome: "set PAWL_HOME or HOME"
    case .socketPathTooLong: "set PAWL_HOME or XDG_RUNTIME_DIR to a shorter path"
    case .locked: "stop the other node, or set PAWL_HOME to another folder"
    case .notOurs, .insecure: "make the folder yours alone (chown, chmod 700), or set PAWL_HOME to another one"
    case .corruptIdentity: "restore the file from a backup; without one, move it away and pair again under a new identity"
    case .corruptKey:
      "restore the file from a backup; without one nothing that is stored can be opened: start over in another PAWL_HOME"
    case .keyMissing: "put the file back; without it nothing that is stored can be opened, and nothing was changed"
    case .foreignKey: "identity, key and state belong together: put back what belongs to one node; nothing was changed"
    case .passphraseNeeded: "run it in a terminal and type it, or give it with --passphrase-file or --passphrase-command"
    case .wrongPassphrase: "try again; without the passphrase nothing that is stored can be opened"
    case .noMemory: "end something else, or move the state to a larger machine"
    case .corruptDatabase, .stateMissing:
      "restore it from a backup; without one, start over without peers, sessions and shares (identity and key are kept): pawl up --new-state"
    case .stateWorks: "nothing was changed; pawl up without --new-state starts it, or says what else is the matter"
    case .newerSchema: "use the newer pawl"
    case .busy: "try again in a moment"
    case .sourceChanged, .sourceTouched: "share it again to publish the new contents"
    case .sourceChanging: "nothing was shared; wait until nothing writes to it, then try again"
    case .sourceMissing: "is the path right? a relative one begins where the command runs"
    case .emptyArtifact: "an artifact has one file at least"
    case .notAFolder: "choose another folder, or move away what is there"
    case .destinationIsFolder: "choose another folder, or move the one that is in the way"
    case .symlinkInSource:
      "--follow takes links to files of the same folder or Hugging Face cache; replace others by what they point to"
    case .linkLeadsOut: "replace the link by what it points to, or remove it"
    case .specialFile: "share a file or a folder of files; within a folder, move it out of there"
    case .sourceUnreadable, .noPermission: "check the permissions"
    case .noSpace: "free some room and try again; a pull goes on where it was, or begins in another folder"
    case .symlinkInDestination: "remove the link, or pull to another folder"
    case .otherFileSystem: "pull straight to that file system"
    case .tooManyTickets: "`pawl tickets` lists them, `pawl tickets revoke ID` takes one back"
    default: nil
    }
  }
}

extension StoreError: Hashable {
  /// Equal by kind and path.
  public static func == (left: StoreError, right: StoreError) -> Bool { left.code == right.code && left.path == right.path }

  /// Hashes kind and path.
  public func hash(into hasher: inout Hasher) {
    hasher.combine(code)
    hasher.combine(path)
  }
}

extension StoreError: CustomStringConvertible {
  /// ``message``.
  public var description: String { message }
}
