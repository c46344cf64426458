internal import Glibc

/// The words for an `errno`, so that no error shows a bare number.
func systemMessage(_ number: CInt) -> String {
  switch number {
  case EIO: "the disk reported an error"
  case EMFILE, ENFILE: "too many open files"
  case ENOMEM, ENOBUFS, EAGAIN: "the machine is short of memory"
  case EROFS: "the file system is read-only"
  case EBUSY: "it is in use"
  case ELOOP: "a symbolic link lies there, and links are not followed"
  default: String(cString: strerror(number))
  }
}

extension StoreError {
  /// A failed system call on a destination, told apart as a user must tell it apart.
  static func destination(_ number: CInt, _ path: String) -> StoreError {
    switch number {
    case ENOSPC: StoreError(.noSpace, path, detail: "no room left on the file system")
    case EDQUOT: StoreError(.noSpace, path, detail: "the disk quota is used up")
    case EACCES, EPERM: StoreError(.noPermission, path, detail: "permission denied")
    case EROFS: StoreError(.noPermission, path, detail: "the file system is read-only")
    case ENOTDIR: StoreError(.notAFolder, path, detail: "a file stands where a folder is needed")
    case EISDIR: StoreError(.destinationIsFolder, path, detail: "a folder stands where the file belongs")
    case ENOENT: StoreError(.doesNotExist, path, detail: "it does not exist")
    case ELOOP: StoreError(.symlinkInDestination, path, detail: "a symbolic link lies there, and links are not followed")
    case EXDEV: StoreError(.otherFileSystem, path, detail: "it lies on another file system than the destination")
    case ENAMETOOLONG: StoreError(.nameTooLong, path, detail: "the name is longer than the file system takes")
    case EFBIG: StoreError(.fileTooLarge, path, detail: "the file is larger than the file system takes")
    case EEXIST: StoreError(.conflict, path, detail: "something of that name is there already")
    case EMFILE, ENFILE, ENOMEM, EAGAIN, ENOBUFS: StoreError(.busy, path, detail: systemMessage(number))
    default: StoreError(.io, path, detail: systemMessage(number))
    }
  }

  /// A failed system call on something to share.
  static func source(_ number: CInt, _ path: String) -> StoreError {
    switch number {
    case ENOENT: StoreError(.sourceMissing, path, detail: "it does not exist")
    case EACCES, EPERM: StoreError(.sourceUnreadable, path, detail: "permission denied")
    case ELOOP: StoreError(.symlinkInSource, path, detail: "a symbolic link, and links are not followed")
    case ENOTDIR: StoreError(.sourceMissing, path, detail: "a part of the path is no folder")
    case ENXIO: StoreError(.specialFile, path, detail: "a pipe, socket or device cannot be shared")
    case ENAMETOOLONG: StoreError(.sourceMissing, path, detail: "the name is longer than the file system takes")
    case EMFILE, ENFILE, ENOMEM, EAGAIN, ENOBUFS: StoreError(.busy, path, detail: systemMessage(number))
    default: StoreError(.sourceUnreadable, path, detail: systemMessage(number))
    }
  }

  /// A failed system call on our own state.
  static func state(_ number: CInt, _ path: String) -> StoreError {
    switch number {
    case EACCES, EPERM: StoreError(.noPermission, path, detail: "permission denied")
    case ENOSPC, EDQUOT: StoreError(.noSpace, path, detail: "no room left for the node's state")
    case ENOTDIR: StoreError(.notAFolder, path, detail: "a file stands where a folder is needed")
    default: StoreError(.io, path, detail: systemMessage(number))
    }
  }
}
