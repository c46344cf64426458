/// One adapted layer: its name as kohya's sd-scripts writes it and the sizes of the matrix it adapts.
struct Layer {
  let name: String
  let inputs: Int
  let outputs: Int
  /// 1×1 convolutions keep two more dimensions of 1.
  let isConvolution: Bool
}

/// The layers a LoRA adapts, and how far down it projects.
struct Network {
  let layers: [Layer]
  let rank: Int

  /// `networks.lora` on Stable Diffusion 1.x: the text encoder's 12 blocks and the 16 transformer blocks of the U-Net.
  static func stableDiffusion1(rank: Int) -> Network {
    var layers: [Layer] = []
    func add(_ name: String, _ inputs: Int, _ outputs: Int, convolution: Bool = false) {
      layers.append(Layer(name: name, inputs: inputs, outputs: outputs, isConvolution: convolution))
    }
    for index in 0..<12 {
      let block = "lora_te_text_model_encoder_layers_\(index)"
      add("\(block)_mlp_fc1", 768, 3072)
      add("\(block)_mlp_fc2", 3072, 768)
      for projection in ["k", "out", "q", "v"] { add("\(block)_self_attn_\(projection)_proj", 768, 768) }
    }
    func addTransformer(_ place: String, channels: Int) {
      add("lora_unet_\(place)_proj_in", channels, channels, convolution: true)
      add("lora_unet_\(place)_proj_out", channels, channels, convolution: true)
      let block = "lora_unet_\(place)_transformer_blocks_0"
      for projection in ["to_k", "to_out_0", "to_q", "to_v"] {
        add("\(block)_attn1_\(projection)", channels, channels)
        let readsText = projection == "to_k" || projection == "to_v"
        add("\(block)_attn2_\(projection)", readsText ? 768 : channels, channels)
      }
      add("\(block)_ff_net_0_proj", channels, 8 * channels)
      add("\(block)_ff_net_2", 4 * channels, channels)
    }
    for (block, channels) in [320, 640, 1280].enumerated() {
      for index in 0..<2 { addTransformer("down_blocks_\(block)_attentions_\(index)", channels: channels) }
    }
    addTransformer("mid_block_attentions_0", channels: 1280)
    for (block, channels) in [(1, 1280), (2, 640), (3, 320)] {
      for index in 0..<3 { addTransformer("up_blocks_\(block)_attentions_\(index)", channels: channels) }
    }
    return Network(layers: layers, rank: rank)
  }
}
