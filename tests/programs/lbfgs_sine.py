"""Sine waves continued by LSTM cells: float64, trained by L-BFGS with closures. (The time-sequence example)"""

import numpy as np
import torch
import torch.nn as nn
import torch.optim as optim

TOLERANCE = 1e-12  # seen: 4e-14, in float64; L-BFGS magnifies rounding from one iteration to the next


class Sequence(nn.Module):
    def __init__(self):
        super().__init__()
        self.lstm1 = nn.LSTMCell(1, 12)
        self.lstm2 = nn.LSTMCell(12, 12)
        self.linear = nn.Linear(12, 1)

    def forward(self, input, future=0):
        outputs = []
        h_t = torch.zeros(input.size(0), 12, dtype=torch.double)
        c_t = torch.zeros(input.size(0), 12, dtype=torch.double)
        h_t2 = torch.zeros(input.size(0), 12, dtype=torch.double)
        c_t2 = torch.zeros(input.size(0), 12, dtype=torch.double)
        for input_t in input.split(1, dim=1):
            h_t, c_t = self.lstm1(input_t, (h_t, c_t))
            h_t2, c_t2 = self.lstm2(h_t, (h_t2, c_t2))
            output = self.linear(h_t2)
            outputs += [output]
        for _ in range(future):
            h_t, c_t = self.lstm1(output, (h_t, c_t))
            h_t2, c_t2 = self.lstm2(h_t, (h_t2, c_t2))
            output = self.linear(h_t2)
            outputs += [output]
        return torch.cat(outputs, dim=1)


np.random.seed(0)
torch.manual_seed(0)
x = np.arange(40) + np.random.randint(-80, 80, 12).reshape(12, 1)
data = np.sin(x / 1.0 / 6).astype("float64")
input = torch.from_numpy(data[3:, :-1])
target = torch.from_numpy(data[3:, 1:])
test_input = torch.from_numpy(data[:3, :-1])
test_target = torch.from_numpy(data[:3, 1:])
seq = Sequence()
seq.double()
criterion = nn.MSELoss()
losses = []
for options in ({"lr": 0.8, "max_iter": 6}, {"lr": 1, "max_iter": 4, "line_search_fn": "strong_wolfe"}):
    optimizer = optim.LBFGS(seq.parameters(), **options)
    for i in range(2):

        def closure():
            optimizer.zero_grad()
            loss = criterion(seq(input), target)
            losses.append(loss.item())
            loss.backward()
            return loss

        optimizer.step(closure)
        with torch.no_grad():
            pred = seq(test_input, future=10)
            loss = criterion(pred[:, :-10], test_target)
            print(f"STEP: {i} test loss: {loss.item():.6f}")
            y = pred.detach().numpy()
            losses.append(float(np.abs(y).mean()))
