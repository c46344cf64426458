import Foundation
import Glibc
import Primitives
import Testing

@testable import Store

@Suite struct ReadBackTests {
  /// Reads to the end, each slice as short as can be. Returns the hash and how many slices it took.
  private func read(_ file: consuming FileReadBack) throws -> (digest: Digest, slices: Int) {
    var file = file
    for slices in 1...100 {
      if let digest = try file.step(time: .zero) { return (digest, slices) }
    }
    throw CancellationError()
  }

  @Test(arguments: [0, 1, (1 << 20) + 1])
  func theHashIsOfWhatIsOnTheDisk(_ size: Int) throws {
    let temporary = try TemporaryFolder()
    let bytes = pattern(size)
    let path = try temporary.file("f", bytes)
    for fromDisk in [true, false] {
      let file = try FileReadBack(path, expectedBytes: UInt64(size), fromDisk: fromDisk)
      #expect(try read(file).digest == SHA256Hash.hash(bytes))
    }
  }

  @Test(arguments: [true, false])
  func aLargeFileIsReadInSlices(fromDisk: Bool) throws {
    let temporary = try TemporaryFolder()
    // Large enough to go past the page cache, and no multiple of a block.
    let bytes = pattern((10 << 20) + 4_097)
    let path = try temporary.file("f", bytes)
    let file = try FileReadBack(path, expectedBytes: UInt64(bytes.count), fromDisk: fromDisk)
    let (digest, slices) = try read(file)
    #expect(digest == SHA256Hash.hash(bytes))
    #expect(slices == 12, "one piece each, and one that finds the end")
    var byBytes = file
    #expect(try byBytes.step(bytes: 3 << 20, time: .seconds(3_600)) == nil)
    #expect(byBytes.offset == 3 << 20)
    #expect(file.offset == 0, "a value: what was not kept was not read")
  }

  @Test func aFileThatGrowsOrShrinksMeanwhileHasNoHash() throws {
    let temporary = try TemporaryFolder()
    for size in [1 << 20, 3 << 20] {
      let path = try temporary.file("f", pattern(2 << 20))
      var file = try FileReadBack(path, expectedBytes: 2 << 20)
      #expect(try file.step(time: .zero) == nil)
      #expect(truncate(path, size) == 0)
      #expect(code { while try file.step(time: .zero) == nil {} } == .deliveredChanged)
    }
  }

  @Test func aFileOfAnotherSizeALinkOrNoneIsNamed() throws {
    let temporary = try TemporaryFolder()
    let path = try temporary.file("f", pattern(10))
    try temporary.link("l", to: path)
    #expect(code { _ = try FileReadBack(path, expectedBytes: 11) } == .deliveredChanged)
    #expect(code { _ = try FileReadBack(temporary("none"), expectedBytes: 1) } == .doesNotExist)
    #expect(code { _ = try FileReadBack(temporary("l"), expectedBytes: 10) } == .symlinkInDestination)
  }

  @Test func itStopsWhenItIsToldTo() throws {
    let temporary = try TemporaryFolder()
    let path = try temporary.file("f", pattern(3 << 20))
    var file = try FileReadBack(path, expectedBytes: 3 << 20)
    var asked = 0
    let hash = try file.step(time: .seconds(3_600)) {
      asked += 1
      return asked > 1
    }
    #expect(hash == nil && asked == 2)
  }

  @Test func aFileThatIsSetAsideReplacesNothingAndLongNamesAreCut() throws {
    let temporary = try TemporaryFolder()
    let path = try temporary.file("f", [1])
    try temporary.file(".pawl-quarantined-f", [2])
    #expect(try Quarantine.setAside(path) == temporary(".pawl-quarantined-2-f"))
    #expect(try Quarantine.setAside(path) == nil, "it may be repeated")
    #expect(FileManager.default.contents(atPath: temporary(".pawl-quarantined-f")) == Data([2]))
    let long = try temporary.file(String(repeating: "é", count: 127), [3])
    let aside = try #require(try Quarantine.setAside(long))
    #expect(FileManager.default.contents(atPath: aside) == Data([3]))
  }
}
