"""Translation by GRU cells with attention: an encoder, a decoder, teacher forcing."""

import random

import torch
import torch.nn as nn
import torch.nn.functional as F
from torch import optim

TOLERANCE = 4e-6  # seen: 2e-7, rounding; plain SGD magnifies nothing

DIGITS = "zero one two three four five six seven eight nine".split()
MAX_LENGTH, SOS, EOS = 5, 10, 11


class EncoderRNN(nn.Module):
    def __init__(self, input_size, hidden_size):
        super().__init__()
        self.hidden_size = hidden_size
        self.embedding = nn.Embedding(input_size, hidden_size)
        self.gru = nn.GRU(hidden_size, hidden_size)

    def forward(self, input, hidden):
        return self.gru(self.embedding(input).view(1, 1, -1), hidden)

    def initHidden(self):
        return torch.zeros(1, 1, self.hidden_size)


class AttnDecoderRNN(nn.Module):
    def __init__(self, hidden_size, output_size, dropout_p=0.1):
        super().__init__()
        self.embedding = nn.Embedding(output_size, hidden_size)
        self.attn = nn.Linear(hidden_size * 2, MAX_LENGTH)
        self.attn_combine = nn.Linear(hidden_size * 2, hidden_size)
        self.dropout = nn.Dropout(dropout_p)
        self.gru = nn.GRUCell(hidden_size, hidden_size)
        self.out = nn.Linear(hidden_size, output_size)

    def forward(self, input, hidden, encoder_outputs):
        embedded = self.dropout(self.embedding(input).view(1, -1))
        attn_weights = F.softmax(self.attn(torch.cat((embedded, hidden), 1)), dim=1)
        attn_applied = torch.bmm(attn_weights.unsqueeze(0), encoder_outputs.unsqueeze(0))
        output = F.relu(self.attn_combine(torch.cat((embedded, attn_applied[0]), 1)))
        hidden = self.gru(output, hidden)
        return F.log_softmax(self.out(hidden), dim=1), hidden, attn_weights


def train(input_tensor, target_tensor):
    encoder_hidden = encoder.initHidden()
    encoder_optimizer.zero_grad()
    decoder_optimizer.zero_grad()
    encoder_outputs = torch.zeros(MAX_LENGTH, encoder.hidden_size)
    for ei in range(input_tensor.size(0)):
        encoder_output, encoder_hidden = encoder(input_tensor[ei], encoder_hidden)
        encoder_outputs[ei] = encoder_output[0, 0]
    decoder_input, decoder_hidden, loss = torch.tensor([[SOS]]), encoder_hidden[0], 0
    forced = random.random() < 0.5
    for di in range(target_tensor.size(0)):
        decoder_output, decoder_hidden, _ = decoder(decoder_input, decoder_hidden, encoder_outputs)
        loss += criterion(decoder_output, target_tensor[di])
        topv, topi = decoder_output.topk(1)
        decoder_input = target_tensor[di] if forced else topi.squeeze().detach()
        if not forced and decoder_input.item() == EOS:
            break
    loss.backward()
    encoder_optimizer.step()
    decoder_optimizer.step()
    return loss.item() / target_tensor.size(0)


random.seed(2)
torch.manual_seed(2)
encoder, decoder = EncoderRNN(12, 24), AttnDecoderRNN(24, 12)
encoder_optimizer = optim.SGD(encoder.parameters(), lr=0.05)
decoder_optimizer = optim.SGD(decoder.parameters(), lr=0.05)
criterion = nn.NLLLoss()
losses = []
for step in range(60):
    numbers = [random.randrange(10) for _ in range(random.randint(2, MAX_LENGTH - 1))]
    source = torch.tensor([*numbers, EOS]).view(-1, 1)
    target = torch.tensor([*[9 - n for n in numbers], EOS]).view(-1, 1)
    losses.append(train(source, target))
    if step % 20 == 19:
        print(f"{step}: {' '.join(DIGITS[n] for n in numbers)}: {losses[-1]:.4f}")
