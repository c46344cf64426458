internal import Artifact
internal import EventLoop
internal import Store
internal import Transfer

/// What a pull has hashed on the workers apart from the frames that arrive.
extension Puller {
  /// The node stops in the middle of the placing.
  func leavePlacing() { isLeftPlacing = true }

  /// Verifies a file's leaf list.
  func verify(leafList bytes: [UInt8], file: Int) {
    guard let manifest else { return }
    let layout = manifest.layout(of: file), root = manifest.files[file].root
    startTask {
      let list = try? await context.threads.open.run { try LeafList(verifying: bytes.span, layout: layout, root: root) }
      self.post(.leafList(file: file, list))
    }
  }

  /// Hashes again what an earlier boot wrote of a file.
  func rehash(_ file: Int, _ leaves: LeafList) {
    guard let manifest, let site else { return }
    jobs += 1
    rehashing[file] = startTask {
      let chunks = try? await site.partial.rehash(file: file, on: context.threads.hashing) {
        $0 < leaves.leaves.count && leaves.leaves[$0] == $1
      }
      self.rehashing[file] = nil
      self.jobEnded()
      self.post(.rehashed(file: file, chunks ?? Array(repeating: false, count: manifest.layout(of: file).count)))
    }
  }
}
