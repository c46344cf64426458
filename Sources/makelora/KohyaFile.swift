internal import Primitives

/// A safetensors file as kohya's sd-scripts saves a LoRA: F16 tensors sorted by name, `ss_*` facts about the training, model hashes,
/// and a header padded to eight bytes. Shapes and names are those of a real one; the numbers are noise.
struct KohyaFile {
  /// The whole file.
  let bytes: [UInt8]

  init(network: Network, seed: UInt64) {
    var noise = Noise(state: seed)
    var entries = ""
    var data: [UInt8] = []
    for tensor in Self.tensors(of: network) {
      let start = data.count
      for _ in 0..<tensor.shape.reduce(1, *) {
        let value = tensor.constant ?? noise.next() * tensor.spread
        let bits = Float16(value).bitPattern
        data.append(UInt8(truncatingIfNeeded: bits))
        data.append(UInt8(truncatingIfNeeded: bits >> 8))
      }
      let shape = tensor.shape.map(String.init).joined(separator: ",")
      entries += ",\"\(tensor.name)\":{\"dtype\":\"F16\",\"shape\":[\(shape)],\"data_offsets\":[\(start),\(data.count)]}"
    }
    let facts = Self.facts(network: network, seed: seed, modelHash: SHA256Hash.hash(data).hex)
      .map { "\(Self.quoted($0)):\(Self.quoted($1))" }.joined(separator: ",")
    var header = Array("{\"__metadata__\":{\(facts)}\(entries)}".utf8)
    header += [UInt8](repeating: UInt8(ascii: " "), count: (8 - header.count % 8) % 8)
    let length = (0..<8).map { UInt8(truncatingIfNeeded: header.count >> (8 * $0)) }
    bytes = length + header + data
  }

  private struct Tensor {
    let name: String
    let shape: [Int]
    /// The value of every element, or nothing for noise within `±spread`.
    let constant: Float?
    let spread: Float
  }

  private static func tensors(of network: Network) -> [Tensor] {
    network.layers.flatMap { layer in
      let tail = layer.isConvolution ? [1, 1] : []
      return [
        Tensor(name: "\(layer.name).alpha", shape: [], constant: Float(network.rank) / 2, spread: 0),
        Tensor(
          name: "\(layer.name).lora_down.weight", shape: [network.rank, layer.inputs] + tail, constant: nil, spread: 0.06),
        Tensor(name: "\(layer.name).lora_up.weight", shape: [layer.outputs, network.rank] + tail, constant: nil, spread: 0.01),
      ]
    }.sorted { $0.name < $1.name }
  }

  private static func facts(network: Network, seed: UInt64, modelHash: String) -> [(String, String)] {
    [
      ("modelspec.architecture", "stable-diffusion-v1/lora"), ("modelspec.date", "2025-03-01T12:00:00"),
      ("modelspec.encoder_layer", "2"), ("modelspec.implementation", "https://github.com/kohya-ss/sd-scripts"),
      ("modelspec.prediction_type", "epsilon"), ("modelspec.resolution", "512x512"), ("modelspec.sai_model_spec", "1.0.0"),
      ("modelspec.title", "anime-lora"), ("ss_base_model_version", "sd_v1"), ("ss_batch_size_per_device", "4"),
      ("ss_bucket_info", "null"), ("ss_cache_latents", "True"), ("ss_clip_skip", "2"),
      ("ss_dataset_dirs", "{\"10_anime\": {\"n_repeats\": 10, \"img_count\": 42}}"), ("ss_epoch", "10"),
      ("ss_gradient_accumulation_steps", "1"), ("ss_gradient_checkpointing", "False"), ("ss_learning_rate", "0.0001"),
      ("ss_lr_scheduler", "cosine"), ("ss_lr_warmup_steps", "0"), ("ss_max_train_steps", "1050"),
      ("ss_mixed_precision", "fp16"), ("ss_network_alpha", "\(network.rank / 2).0"), ("ss_network_args", "{}"),
      ("ss_network_dim", "\(network.rank)"), ("ss_network_module", "networks.lora"), ("ss_num_epochs", "10"),
      ("ss_num_reg_images", "0"), ("ss_num_train_images", "420"), ("ss_optimizer", "torch.optim.adamw.AdamW"),
      ("ss_output_name", "anime-lora"), ("ss_resolution", "(512, 512)"), ("ss_sd_model_name", "v1-5-pruned.safetensors"),
      ("ss_seed", "\(seed)"), ("ss_steps", "1050"),
      ("ss_tag_frequency", "{\"10_anime\": {\"1girl\": 38, \"solo\": 35, \"cherry blossoms\": 12}}"),
      ("ss_text_encoder_lr", "5e-05"), ("ss_training_comment", "None"), ("ss_unet_lr", "0.0001"), ("ss_v2", "False"),
      ("sshs_legacy_hash", String(modelHash.prefix(8))), ("sshs_model_hash", modelHash),
    ]
  }

  /// `text` as a JSON string. What is quoted here holds no control characters.
  private static func quoted(_ text: String) -> String {
    "\"\(text.replacing("\\", with: "\\\\").replacing("\"", with: "\\\""))\""
  }
}

/// SplitMix64: small, and the same numbers on every machine. Nothing secret comes from it.
struct Noise {
  var state: UInt64

  /// The next number, evenly between -1 and 1.
  mutating func next() -> Float {
    state &+= 0x9e37_79b9_7f4a_7c15
    var mixed = state
    mixed = (mixed ^ (mixed >> 30)) &* 0xbf58_476d_1ce4_e5b9
    mixed = (mixed ^ (mixed >> 27)) &* 0x94d0_49bb_1331_11eb
    mixed ^= mixed >> 31
    return Float(mixed >> 40) / Float(1 << 23) - 1
  }
}
