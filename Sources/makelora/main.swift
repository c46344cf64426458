// Makes a LoRA file for the demonstration and the tests: `pawl-makelora PATH [SEED]`. The same seed gives the same bytes.
internal import Glibc

let arguments = CommandLine.arguments
guard arguments.count == 2 || arguments.count == 3, let seed = UInt64(arguments.count == 3 ? arguments[2] : "1") else {
  print("usage: pawl-makelora PATH [SEED]")
  exit(2)
}

let file = KohyaFile(network: .stableDiffusion1(rank: 16), seed: seed).bytes
guard let stream = fopen(arguments[1], "wb") else {
  print("\(arguments[1]): cannot be written")
  exit(1)
}
let written = file.withUnsafeBytes { fwrite($0.baseAddress, 1, $0.count, stream) }
guard fclose(stream) == 0, written == file.count else {
  print("\(arguments[1]): no room for \(file.count) bytes")
  exit(1)
}
print("\(arguments[1]): \(file.count) bytes")
